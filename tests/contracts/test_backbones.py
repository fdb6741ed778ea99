"""What every entry of BACKBONES promises."""

import numpy as np
import pytest
import torch

from dynst.backbones import BACKBONES, SHAPES, check_shape
from dynst.domain import GraphLayout, GridLayout, Sites
from dynst.domain.graphs import nearest_neighbours
from dynst.errors import ConfigError

pytestmark = pytest.mark.parametrize("name", BACKBONES)
CELL = np.array([0, 1, 2, 4, 5, 7, 8, 9, 11, 12, 13, 14])


def sites_of(layout):
    row, column = np.divmod(layout.cell, layout.shape[1])
    return Sites(column.astype(float), row.astype(float))


def make(name, layout, seed=0):
    return (
        BACKBONES[name]
        .load()
        .on(sites_of(layout), layout, features_in=5, features_out=3, generator=torch.Generator().manual_seed(seed))
    )


def stream(b, n, seed=1):
    return torch.randn(b, n, 5, generator=torch.Generator().manual_seed(seed))


def test_forecast_has_the_promised_shape_and_is_finite(name):
    net = make(name, GridLayout((3, 5), CELL))
    out = net(stream(4, len(CELL)))
    assert out.shape == (4, len(CELL), 3)
    assert (net.features_in, net.features_out) == (5, 3)
    assert out.isfinite().all()


def test_gradients_reach_every_parameter_and_every_input(name):
    net = make(name, GridLayout((3, 5), CELL))
    x = stream(4, len(CELL)).requires_grad_()
    (net(x) * torch.randn(4, len(CELL), 3, generator=torch.Generator().manual_seed(2))).sum().backward()
    for parameter, weight in net.named_parameters():
        assert weight.grad is not None, parameter
        assert weight.grad.isfinite().all(), parameter
        assert weight.grad.abs().max() > 0, parameter
    assert (x.grad.abs().amax(dim=(0, 2)) > 0).all()


def test_rows_of_a_batch_are_independent_in_eval_mode(name):
    net = make(name, GridLayout((3, 5), CELL)).eval()
    x = stream(4, len(CELL))
    torch.testing.assert_close(net(x)[2:3], net(x[2:3]))
    other = x.clone()
    other[3] = 100
    torch.testing.assert_close(net(other)[:3], net(x)[:3])


def test_same_generator_same_forecast_bit_for_bit(name):
    layout = GridLayout((3, 5), CELL)
    assert torch.equal(make(name, layout)(stream(2, len(CELL))), make(name, layout)(stream(2, len(CELL))))
    assert not torch.equal(make(name, layout, 1)(stream(2, len(CELL))), make(name, layout)(stream(2, len(CELL))))


def test_state_is_restored_whole(name):
    layout = GridLayout((3, 5), CELL)
    first, second = make(name, layout), make(name, layout, seed=1)
    first(stream(4, len(CELL)))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.eval()(stream(2, len(CELL))), second.eval()(stream(2, len(CELL))))


def test_claim_a_shift_in_longitude_shifts_the_forecast(name):
    if not BACKBONES[name].load().periodic_equivariant:
        return
    net = make(name, GridLayout((4, 12), np.arange(48), periodic=True)).eval()
    x = stream(2, 48).reshape(2, 4, 12, 5)
    moved = net(x.roll(4, dims=2).reshape(2, 48, 5)).reshape(2, 4, 12, 3)
    torch.testing.assert_close(moved, net(x.reshape(2, 48, 5)).reshape(2, 4, 12, 3).roll(4, dims=2))


def test_claim_relabelled_sites_relabel_the_forecast(name):
    backbone = BACKBONES[name].load()
    if not backbone.permutation_equivariant:
        return
    draw, n = np.random.default_rng(3), 14
    x, y, order = draw.uniform(0, 9, n), draw.uniform(40, 50, n), draw.permutation(n)
    place = np.argsort(order)  # where each old site is now
    sites, moved = Sites(x, y), Sites(x[order], y[order])
    layout = nearest_neighbours(sites, 4)
    relabelled = GraphLayout(n, place[layout.edge_index])
    shape = {"features_in": 5, "features_out": 3}
    first = backbone.on(sites, layout, generator=torch.Generator().manual_seed(0), **shape)
    second = backbone.on(moved, relabelled, generator=torch.Generator().manual_seed(0), **shape)
    inputs = stream(2, n)
    torch.testing.assert_close(second(inputs[:, order]), first(inputs)[:, order])


def test_claim_built_for_some_sensors_it_reads_nothing_else(name):
    backbone = BACKBONES[name].load()
    if not backbone.sensors_only:
        return
    layout, sensors = GridLayout((3, 5), CELL), np.array([1, 4, 9])
    shape = {"features_in": 5, "features_out": 3, "generator": torch.Generator().manual_seed(0)}
    net, x = backbone.on(sites_of(layout), layout, sensors=sensors, **shape), stream(2, len(CELL))
    other = torch.full_like(x, 7.0)
    other[:, sensors] = x[:, sensors]
    assert torch.equal(net(x), net(other))
    assert net(x).shape == (2, len(CELL), 3)


def test_claim_what_is_known_of_the_sites_is_taken_when_it_is_built(name):
    backbone = BACKBONES[name].load()
    if not backbone.takes_static:
        return
    layout, x = GridLayout((3, 5), CELL), stream(2, len(CELL))
    known = torch.randn(len(CELL), 4, generator=torch.Generator().manual_seed(4))
    shape = {"features_in": 5, "features_out": 3}
    one, two = (
        backbone.on(sites_of(layout), layout, static=static, generator=torch.Generator().manual_seed(0), **shape)
        for static in (known, known.flip(0))
    )
    assert ((one(x) - two(x)).abs().amax(dim=(0, 2)) > 1e-4).all()


def test_weights_come_from_the_generator_alone(name):
    layout = GridLayout((3, 5), CELL)
    before = torch.random.get_rng_state()
    make(name, layout)
    assert torch.equal(before, torch.random.get_rng_state())


def test_its_row_says_what_shape_it_takes_and_where_it_stands(name):
    """A fact of the row that is wrong would refuse what works, or let through what does not."""
    row, grid = BACKBONES[name], GridLayout((4, 4), np.arange(16))
    sites = sites_of(grid)
    build = row.load().on
    for option in SHAPES:
        if option in row.shape:
            build(sites, grid, features_in=5, features_out=3, **{option: 8 if option == "dim" else 1})
            continue
        with pytest.raises(TypeError, match=option):
            build(sites, grid, features_in=5, features_out=3, **{option: 1})
        with pytest.raises(ConfigError, match=f"{name} has none"):
            check_shape(name, {option: 1})
    if row.grid_only:
        with pytest.raises(ConfigError, match="grid"):
            build(sites, nearest_neighbours(sites, 3), features_in=5, features_out=3)
