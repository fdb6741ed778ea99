"""Format-true EAGLE runs from a known flow around an obstacle that moves."""

import numpy as np
from scipy.spatial import Delaunay

RADIUS = 0.25
BOUND = 1.4**2  # largest second derivative of any field in any direction, see `flow`
SPARE = 3  # disabled nodes at the end of each frame: in no triangle, as obstacles leave them


def centre(t):
    return np.array([1.0 + 0.02 * t, 0.5])


def flow(points, t):
    """vx, vy, ps, pg. The second derivatives of a sin(a x) cos(a y) are a ** 2 sin(a (x + y)) along its main axes."""
    x, y = points[..., 0], points[..., 1]
    return (
        np.sin(1.4 * x + 0.1 * t) * np.cos(1.4 * y),
        np.cos(1.4 * x - 0.1 * t) * np.sin(1.4 * y),
        np.sin(1.4 * (x + y) / np.sqrt(2) + 0.2 * t),
        2.0 * x - y + 0.1 * t,
    )


def write_run(folder, *, nodes=400, steps=12, seed=0, float_type="f4", face_type="i4", trailing=False, moving=True):
    """Write sim.npz and triangles.npy; returns the longest side of any triangle."""
    rng = np.random.default_rng(seed)
    rim = np.linspace(0, 1, 12)
    border = np.concatenate([np.c_[2 * rim, 0 * rim], np.c_[2 * rim, 0 * rim + 1]])
    ends = np.concatenate([np.c_[0 * rim, rim][1:-1], np.c_[0 * rim + 2, rim][1:-1]])
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = RADIUS * np.c_[np.cos(angle), np.sin(angle)]
    free = nodes - len(border) - len(ends) - len(ring) - SPARE
    start = rng.uniform([0.02, 0.02], [1.98, 0.98], (free * 3, 2))
    cloud, types, faces, longest = [], [], [], 0.0
    for t in range(steps):
        at = centre(t if moving else 0)
        inside = start + (rng.normal(0, 0.002, start.shape) if moving else 0)
        inside = inside[np.linalg.norm(inside - at, axis=1) > RADIUS * 1.1][:free]
        points = np.concatenate([border, ends, at + ring, inside]).astype(float_type).astype(float)
        mesh = Delaunay(points, qhull_options="Qbb Qc Qz").simplices
        hull = np.linalg.norm(points[mesh].mean(1) - at, axis=1) > RADIUS * 0.97
        mesh = mesh[hull]
        sides = points[mesh] - points[np.roll(mesh, 1, axis=1)]
        longest = max(longest, float(np.linalg.norm(sides, axis=-1).max()))
        kind = np.zeros(len(points), int)
        kind[: len(border)] = 6
        kind[len(border) : len(border) + len(ends)] = np.where(ends[:, 0] == 0, 4, 5)
        kind[len(border) + len(ends) :][: len(ring)] = 6
        cloud.append(np.concatenate([points, points[-SPARE:]]))
        types.append(np.concatenate([kind, np.full(SPARE, 2)]))
        faces.append(mesh)
    most = max(map(len, faces))
    faces = [np.concatenate([mesh, np.repeat(mesh[:1, :1].repeat(3, 1), most - len(mesh), 0)]) for mesh in faces]
    cloud = np.stack(cloud)
    fields = [np.stack([flow(points, t)[i] for t, points in enumerate(cloud)]) for i in range(4)]
    for field in fields:
        field[:, -SPARE:] = 99.0  # no flow
    mask = np.stack(types)
    arrays = dict(zip(("VX", "VY", "PS", "PG"), [field.astype(float_type) for field in fields], strict=True))
    arrays |= {"pointcloud": cloud.astype(float_type), "mask": mask[..., None] if trailing else mask}
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "sim.npz", **arrays)
    np.save(folder / "triangles.npy", np.stack(faces).astype(face_type))
    return longest
