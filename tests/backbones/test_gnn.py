"""Laws of the graph network: the dense reference, relabelling, lone sites, parts, sensors alone, PyG's own way."""

import copy
import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.nn import MessagePassing

from dynst.backbones.gnn import GNN
from dynst.domain import Covariate, Field, Frame, GraphLayout, GridLayout, Sites, Window
from dynst.domain.graphs import drawing, nearest_neighbours, of_edges
from dynst.errors import ConfigError
from dynst.evaluation import LinearJudge
from dynst.evaluation.refit import refit
from dynst.sparsity import MaskState
from dynst.training import build_forecaster
from dynst.windows import Scaling, split_by_time

PATH = Path(__file__).parents[1] / "reference" / "gnn_dense.py"
SPEC = importlib.util.spec_from_file_location("gnn_dense", PATH)
dense = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(dense)

N, F_IN, F_OUT = 20, 5, 3
SHAPE = {"features_in": F_IN, "features_out": F_OUT, "dim": 8, "depth": 2, "heads": 2, "slots": 4}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def planar(n=N, seed=0):
    draw = np.random.default_rng(seed)
    return Sites(draw.uniform(0, 9, n), draw.uniform(0, 5, n), Frame.PLANAR)


def earth(n=N, seed=0):
    draw = np.random.default_rng(seed)
    return Sites(draw.uniform(-180, 180, n), np.degrees(np.arcsin(draw.uniform(-1, 1, n))))


def weighted(n=N, seed=0):
    draw = np.random.default_rng(seed)
    ends = draw.integers(0, n, (2, 4 * n))
    return of_edges(n, *ends[:, ends[0] != ends[1]], draw.uniform(0.1, 1, (ends[0] != ends[1]).sum()))[0]


def placeless(layout):
    place = drawing(layout)
    return Sites(place[:, 0], place[:, 1], Frame.SCHEMATIC, name=tuple(map(str, range(layout.size))))


def chain(n=N):
    """A graph only: nobody knows positions. A ring with chords of irregular length, so that no two sites are alike."""
    ring = np.arange(n)
    return of_edges(n, np.r_[ring, 0, 0, 3], np.r_[(ring + 1) % n, 7, 9, 12], np.r_[np.linspace(1, 2, n), 1, 3, 2])[0]


KINDS = {
    "plane": lambda: (planar(), nearest_neighbours(planar(), 4)),
    "earth": lambda: (earth(), nearest_neighbours(earth(), 4)),
    "weights": lambda: (planar(), weighted()),
    "graph only": lambda: (placeless(chain()), chain()),
    "grid": lambda: (planar(), GridLayout((4, 5), np.arange(N))),
}
SENSORS = {"all may be": None, "five": np.array([2, 3, 8, 11, 17]), "every site": np.arange(N)}


def make(kind, seed=0, **options):
    sites, layout = KINDS[kind]()
    return GNN(sites, layout, generator=generator(seed), **{**SHAPE, **options})


def stream(b=3, n=N, seed=1):
    return torch.randn(b, n, F_IN, generator=generator(seed))


def static(n=N, q=3):
    return torch.randn(n, q, generator=generator(5))


@pytest.mark.parametrize("kind", ["plane", "weights"])
@pytest.mark.parametrize("sensors", SENSORS.values(), ids=SENSORS)
def test_equals_the_dense_reference(kind, sensors):
    sites, layout = KINDS[kind]()
    net = make(kind, sensors=sensors, static=static(), nearest=3, neighbours=4).double()
    points = np.stack([sites.x, sites.y], axis=1)
    known = np.concatenate([dense.places(sites.x, sites.y), static().double().numpy()], axis=1)
    spread = None
    if sensors is None:
        pairs = list(zip(*layout.edge_index.tolist(), strict=True))
        weight = dict(zip(pairs, layout.edge_weight.tolist(), strict=True)) if layout.weighted else None
        near, own = dense.link_features(pairs, points, points, weight), points
    else:
        own = points[sensors]
        closest = {(j, i) for i in range(len(own)) for j in np.argsort(np.hypot(*(own - own[i]).T))[1:5].tolist()}
        pairs = sorted(closest | {(i, j) for j, i in closest}, key=lambda pair: pair[::-1])
        near = dense.link_features(pairs, own, own)
        pairs = [(j, i) for i in range(N) for j in sorted(np.argsort(np.hypot(*(own - points[i]).T))[:3].tolist())]
        spread = dense.link_features(pairs, own, points)
    reference = dense.DenseGNN(
        net.state_dict(), depth=2, heads=2, known=known, near=near, nodes=len(own), spread=spread, sensors=sensors
    )
    x = stream().double()
    np.testing.assert_allclose(net(x).detach().numpy(), reference(x.numpy()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["plane", "earth", "weights", "graph only"])
@pytest.mark.parametrize("sensors", list(SENSORS.values())[:2], ids=list(SENSORS)[:2])
def test_relabelled_sites_and_covariates_relabel_the_forecast(kind, sensors):
    sites, layout = KINDS[kind]()
    order = np.random.default_rng(7).permutation(N)
    place = np.argsort(order)
    weight = layout.edge_weight
    moved = Sites(sites.x[order], sites.y[order], sites.frame, name=tuple(sites.name[i] for i in order))
    relabelled = GraphLayout(N, place[layout.edge_index], weight, weighted=layout.weighted)
    options = [
        {} if sensors is None else {"sensors": s} for s in (sensors, None if sensors is None else place[sensors])
    ]
    first = GNN(sites, layout, generator=generator(), static=static(), **SHAPE, **options[0]).double()
    second = GNN(moved, relabelled, generator=generator(), static=static()[order], **SHAPE, **options[1]).double()
    x = stream().double()
    torch.testing.assert_close(second(x[:, order]), first(x)[:, order], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sensors", SENSORS.values(), ids=SENSORS)
@pytest.mark.parametrize("edge_mlp", [False, True])
def test_gradients_reach_every_parameter_and_every_sensor(kind, sensors, edge_mlp):
    net, x = make(kind, sensors=sensors, edge_mlp=edge_mlp), stream().requires_grad_()
    (net(x) * torch.randn(3, N, F_OUT, generator=generator(2))).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name
    reached = (x.grad.abs().amax(dim=(0, 2)) > 0).numpy()
    assert (np.flatnonzero(reached) == (np.arange(N) if sensors is None else sensors)).all()


def test_without_slots_nothing_passes_between_two_parts_and_a_lone_site_hears_itself_alone():
    pairs = np.array([[0, 1, 3, 4], [1, 2, 4, 5]])  # 0-1-2, 3-4-5, and 6 alone
    layout = of_edges(7, *pairs)[0]
    net = GNN(planar(7), layout, generator=generator(), **{**SHAPE, "slots": 0, "depth": 3})
    x = stream(1, 7).requires_grad_()
    reach = []
    for site in range(7):
        (slope,) = torch.autograd.grad(net(x)[0, site].sum(), x)
        reach.append(set(np.flatnonzero(slope[0].abs().amax(-1).numpy())))
    assert reach == [{0, 1, 2}] * 3 + [{3, 4, 5}] * 3 + [{6}]


def test_with_slots_every_site_hears_of_every_other():
    net, x = make("plane"), stream(1).requires_grad_()
    for site in (0, N - 1):
        (slope,) = torch.autograd.grad(net(x)[0, site].sum(), x)
        assert (slope[0].abs().amax(-1) > 0).all()


def test_a_sensor_in_another_part_of_a_graph_without_positions_is_not_interpolated_from():
    layout = of_edges(6, np.array([0, 1, 3, 4]), np.array([1, 2, 4, 5]))[0]
    net = GNN(placeless(layout), layout, sensors=np.array([1]), generator=generator(), **{**SHAPE, "slots": 0})
    x = stream(1, 6).requires_grad_()
    (slope,) = torch.autograd.grad(net(x)[0, :3].sum(), x, retain_graph=True)
    assert slope[0, 1].abs().max() > 0
    (slope,) = torch.autograd.grad(net(x)[0, 3:].sum(), x)
    assert (slope == 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_no_sensor_one_and_two_work(kind, count):
    net = make(kind, sensors=np.arange(count) + 3)
    out = net(stream())
    assert out.shape == (3, N, F_OUT)
    assert out.isfinite().all()
    out.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())
    assert (out[0] == out[1]).all() == (count == 0)


def test_rows_of_the_sensors_alone_give_the_same_forecast():
    sensors = SENSORS["five"][[3, 0, 4, 1, 2]]
    net, x = make("plane", sensors=sensors), stream()
    assert torch.equal(net(x), net.forward_sensors(x[:, sensors]))


@pytest.mark.parametrize("sensors", [None, SENSORS["five"]], ids=["all may be", "five"])
def test_the_state_is_that_of_the_weights_alone_whatever_the_sensors(sensors):
    net = make("plane", sensors=sensors)
    assert set(net.state_dict()) == {name for name, _ in net.named_parameters()}
    other = make("plane", seed=1, sensors=sensors)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(stream()), net(stream()))
    assert torch.equal(copy.deepcopy(net)(stream()), net(stream()))


def test_plans_of_any_size_begin_with_the_same_weights():
    states = [make("earth", sensors=np.arange(k)).state_dict() for k in (0, 1, 7, N)]
    for name, weight in states[0].items():
        assert all(torch.equal(weight, state[name]) for state in states[1:]), name


def test_samples_of_a_batch_do_not_touch_each_other():
    net, x = make("weights"), stream(4)
    other = x.clone()
    other[3] = 100.0
    torch.testing.assert_close(net(other)[:3], net(x)[:3])
    torch.testing.assert_close(net(x[1:2]), net(x)[1:2])


@pytest.mark.parametrize("edge_mlp", [False, True])
def test_layers_are_those_of_pyg_and_its_unfused_way_gives_the_same(edge_mlp):
    net, x = make("plane", edge_mlp=edge_mlp), stream()
    layers = [module for module in net.modules() if isinstance(module, MessagePassing)]
    assert layers
    expected = net(x)
    for layer in layers:
        layer.fuse = False
    torch.testing.assert_close(net(x), expected)


@pytest.mark.parametrize("edge_mlp", [False, True])
def test_inference_mode_gives_the_same(edge_mlp):
    net, x = make("plane", edge_mlp=edge_mlp), stream()
    with torch.inference_mode():
        quick = net(x)
    torch.testing.assert_close(quick, net(x), rtol=1e-5, atol=1e-6)


def test_half_precision_trains():
    net = make("plane", sensors=SENSORS["five"])
    with torch.autocast("cpu", torch.bfloat16):
        out = net(stream())
    out.float().square().mean().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def waves(kind="plane", steps=160):
    """Two patterns that beat at their own pace, a site's share in them following from where it is."""
    sites, layout = KINDS[kind]()
    time, draw = np.arange(steps)[:, None], np.random.default_rng(0)
    values = np.sin(time / 4) * np.sin(sites.x) + np.cos(time / 7) * np.cos(sites.y)
    values = values + 0.1 * draw.standard_normal(values.shape)
    height = Covariate("height", draw.uniform(0, 900, N), "m")
    return replace(Field.of(values[..., None], sites, layout), covariates=(height,))


@pytest.mark.parametrize("sensors", [None, SENSORS["five"]], ids=["all may be", "five"])
def test_built_on_a_field_it_knows_covariates_and_modes_and_the_stream_need_not_carry_them(sensors):
    field, mask = waves(), MaskState.of("1" * N)
    forecaster = build_forecaster(field, Window(3, 2), mask, seed=0, backbone="gnn", sensors=sensors, dim=8)
    network = forecaster.backbone
    assert forecaster.covariates is None
    assert network.features_in == 3 + 1
    height = network.known[:, 14]  # behind the 14 waves of the positions
    torch.testing.assert_close(height.std(correction=0), torch.tensor(1.0))
    assert network.known.shape[1] == 14 + 1 + 16
    assert forecaster(torch.zeros(2, 3, N, 1)).shape == (2, 2, N, 1)


def test_a_relabelled_field_gives_the_same_network_relabelled():
    field, order = waves(), np.random.default_rng(7).permutation(N)
    sites = Sites(field.sites.x[order], field.sites.y[order], Frame.PLANAR)
    layout = GraphLayout(N, np.argsort(order)[field.layout.edge_index])
    height = Covariate("height", field.covariates[0].values[order], "m")
    moved = Field.of(field.series.read(0, field.steps)[:, order], sites, layout)
    moved = replace(moved, covariates=(height,))
    inputs, mask = torch.randn(2, 3, N, 1, generator=generator()), MaskState.of("1" * N)
    one, two = (build_forecaster(f, Window(3, 2), mask, seed=0, backbone="gnn", dim=8) for f in (field, moved))
    torch.testing.assert_close(two(inputs[:, :, order]), one(inputs)[:, :, order], rtol=1e-3, atol=1e-4)


def judged(kind, selected, **options):
    field, window = waves(kind, steps=240), Window(2, 2)
    split = split_by_time(field, window)
    scaling = Scaling.fit(split.train)
    options = {"backbone": "gnn", "steps": 3, "dim": 8, "batch": 8, **options}
    return refit(split, window, scaling, selected, **options), LinearJudge(split, window, scaling=scaling).floor()


@pytest.mark.parametrize("form", ["sensors", "field"])
def test_a_refit_learns_from_its_sensors_in_both_forms(form):
    score, floor = judged("plane", SENSORS["five"], form=form, steps=80, dim=16, batch=16)
    assert score.total < 0.8 * floor.total


@pytest.mark.parametrize("form", ["sensors", "field"])
@pytest.mark.parametrize("kind", ["graph only", "grid"])
def test_a_refit_is_the_same_twice_and_may_have_no_sensor(form, kind):
    one, two = (judged(kind, SENSORS["five"], form=form)[0] for _ in range(2))
    assert (one.per_window == two.per_window).all()
    assert np.isfinite(judged(kind, np.zeros(0, int), form=form)[0].total)


def test_options_that_make_no_sense_are_refused_in_words():
    for options, words in (
        ({"dim": 9}, "multiple"),
        ({"depth": 0}, "at least 1"),
        ({"sensors": np.array([N])}, "from 0 to 19"),
        ({"sensors": np.array([1, 1])}, "different sites"),
    ):
        with pytest.raises(ConfigError, match=words):
            make("plane", **options)


def test_pyg_is_loaded_for_the_graph_network_only_and_leaves_no_file_behind(tmp_path):
    code = (
        "import sys, dynst.backbones, dynst.training\n"
        "dynst.backbones.BACKBONES['stlight'].load()\n"
        "assert 'torch_geometric' not in sys.modules\n"
        "import numpy as np, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "from dynst.domain import GridLayout, Sites\n"
        "net = dynst.backbones.BACKBONES['gnn'].load().on(Sites(np.arange(4.0), np.zeros(4)),"
        " GridLayout((1, 4), np.arange(4)), features_in=1, features_out=1)\n"
        "assert 'torch_geometric' in sys.modules\n"
    )
    env = {"TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1", "PATH": ""}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
