import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from dynst.backbones.depthwise import DilatedDepthwise
from dynst.backbones.stlight import STLight, STLightCore
from dynst.domain import GridLayout
from dynst.errors import ConfigError

PATH = Path(__file__).parents[1] / "reference" / "stlight_plain.py"
SPEC = importlib.util.spec_from_file_location("stlight_plain", PATH)
plain = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(plain)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pair(*, c_in=3, c_out=2, dim=8, depth=3, patch=2, overlap=0, periodic=False, kernel=(3, 7), dilation=3):
    ours = STLightCore(
        c_in,
        c_out,
        dim=dim,
        depth=depth,
        patch=patch,
        overlap=overlap,
        periodic=periodic,
        kernel=kernel,
        dilation=dilation,
        generator=generator(),
    )
    theirs = plain.PlainSTLight(
        c_in,
        c_out,
        d=dim,
        depth=depth,
        p=patch,
        overlap=overlap,
        periodic=periodic,
        k1=kernel[0],
        k2=kernel[1],
        dilation=dilation,
    )
    return ours, theirs.load_from(ours)


def gradients(net, x, target):
    x = x.clone().requires_grad_()
    out = net(x)
    (out - target).square().mean().backward()
    return out.detach(), [x.grad, *(weight.grad for weight in net.parameters())]


def assert_equal_networks(ours, theirs, x, c_out=2):
    target = torch.randn(x.shape[0], c_out, *x.shape[2:], generator=generator(1))
    out, slopes = gradients(ours, x, target)
    wanted, wanted_slopes = gradients(theirs, x, target)
    assert (out - wanted).abs().max() < 1e-4
    whole = torch.cat([slope.flatten() for slope in wanted_slopes[1:]]).norm()
    difference = [mine - plains for mine, plains in zip(slopes, wanted_slopes, strict=True)]
    assert difference[0].norm() < 1e-4 * wanted_slopes[0].norm()
    assert torch.cat([slope.flatten() for slope in difference[1:]]).norm() < 1e-4 * whole
    for mine, plains in zip(ours.buffers(), theirs.buffers(), strict=True):  # running statistics
        torch.testing.assert_close(mine, plains, rtol=1e-4, atol=1e-5)
    # In double precision each parameter's gradient for itself: in single, sums that nearly cancel (a bias before a
    # batch norm) differ by rounding between any two layouts.
    for net in (ours, theirs):
        net.zero_grad()
        net.double()
    slopes, wanted_slopes = (gradients(net, x.double(), target.double())[1] for net in (ours, theirs))
    for mine, plains in zip(slopes, wanted_slopes, strict=True):
        assert (mine - plains).norm() < 1e-9 * plains.norm() + 1e-12 * whole  # some are zero by construction


@pytest.mark.parametrize("size", [(8, 12), (7, 11), (5, 20), (13, 6)])
@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("overlap", [0, 2])
@pytest.mark.parametrize("periodic", [False, True])
def test_equals_the_plain_reference(size, patch, overlap, periodic):
    ours, theirs = pair(patch=patch, overlap=overlap, periodic=periodic)
    assert_equal_networks(ours, theirs, torch.randn(4, 3, *size, generator=generator(2)))


@pytest.mark.parametrize(
    ("depth", "kernel", "dilation"), [(1, (3, 7), 3), (2, (5, 3), 2), (7, (3, 7), 3), (3, (1, 5), 1)]
)
def test_equals_the_plain_reference_for_other_depths_and_kernels(depth, kernel, dilation):
    ours, theirs = pair(depth=depth, kernel=kernel, dilation=dilation, patch=1)
    assert_equal_networks(ours, theirs, torch.randn(3, 3, 10, 7, generator=generator(2)))


def test_equals_the_plain_reference_at_a_realistic_size():
    ours, theirs = pair(c_in=12, c_out=12, dim=64, depth=6)
    assert_equal_networks(ours, theirs, torch.randn(2, 12, 17, 34, generator=generator(2)), c_out=12)


def test_equals_the_plain_reference_in_eval_mode():
    ours, theirs = pair()
    x = torch.randn(2, 3, 9, 14, generator=generator(2))
    ours(x)
    theirs.load_from(ours)
    assert (ours.eval()(x) - theirs.eval()(x)).abs().max() < 1e-5


@pytest.mark.parametrize(("dim", "millions"), [(800, 11.1), (1000, 17.1), (1200, 24.3), (1400, 32.9)])
def test_has_as_many_parameters_as_the_paper_says(dim, millions):
    with torch.device("meta"):
        core = STLightCore(10, 10, dim=dim, depth=16, patch=2)
    assert round(sum(weight.numel() for weight in core.parameters()) / 1e6, 1) == millions
    assert core(torch.zeros(1, 10, 64, 64, device="meta")).shape == (1, 10, 64, 64)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize(("size", "kernel", "dilation"), [((5, 4), 3, 2), ((7, 6), 3, 3), ((4, 5), 5, 2)])
def test_own_backward_of_the_dilated_convolution_is_right(size, kernel, dilation, periodic):
    conv = DilatedDepthwise(2, kernel=kernel, dilation=dilation, periodic=periodic).double()
    torch.nn.init.normal_(conv.weight, generator=generator())
    torch.nn.init.normal_(conv.bias, generator=generator())
    x = torch.randn(2, 2, *size, dtype=torch.float64, generator=generator(1)).requires_grad_()

    def run(x, weight, bias):
        return torch.func.functional_call(conv, {"weight": weight, "bias": bias}, (x,))

    assert torch.autograd.gradcheck(run, (x, conv.weight, conv.bias))


def test_whole_network_passes_gradcheck_in_double_precision():
    core = STLightCore(2, 1, dim=4, depth=2, patch=2, overlap=2, periodic=True, generator=generator()).double()
    x = torch.randn(2, 2, 5, 6, dtype=torch.float64, generator=generator(1)).requires_grad_()
    assert torch.autograd.gradcheck(core.eval(), (x,))


def test_dilated_convolution_holds_the_weights_of_an_ordinary_one():
    conv = DilatedDepthwise(4, kernel=7, dilation=3)
    ordinary = torch.nn.Conv2d(4, 4, 7, groups=4, dilation=3, padding=9)
    conv.load_state_dict(ordinary.state_dict())
    x = torch.randn(2, 4, 12, 15, generator=generator())
    torch.testing.assert_close(conv(x), ordinary(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("patch", "overlap"), [(1, 0), (1, 2), (2, 0), (2, 2)])
@pytest.mark.parametrize("width", [6, 12, 28])  # narrower than the reach of the dilated convolution, and wider
def test_a_shift_in_longitude_by_patches_shifts_the_forecast(patch, overlap, width):
    layout = GridLayout((5, width), np.arange(5 * width), periodic=True)
    net = STLight(layout, features_in=2, features_out=3, dim=8, patch=patch, overlap=overlap, generator=generator())
    x = torch.randn(2, 5, width, 2, generator=generator(1))
    net(x.reshape(2, -1, 2))  # running statistics other than the initial ones
    net.eval()
    shifted = net(x.roll(2 * patch, dims=2).reshape(2, -1, 2)).reshape(2, 5, width, 3)
    torch.testing.assert_close(shifted, net(x.reshape(2, -1, 2)).reshape(2, 5, width, 3).roll(2 * patch, dims=2))


def test_a_regional_grid_is_not_periodic():
    layout = GridLayout((5, 12), np.arange(60))
    net = STLight(layout, features_in=1, features_out=1, dim=8, generator=generator()).eval()
    x = torch.randn(1, 5, 12, 1, generator=generator(1))
    shifted = net(x.roll(2, dims=2).reshape(1, -1, 1)).reshape(1, 5, 12, 1)
    assert (shifted - net(x.reshape(1, -1, 1)).reshape(1, 5, 12, 1).roll(2, dims=2)).abs().max() > 1e-3


def test_cells_without_a_site_read_zero_and_are_not_returned():
    sea = np.array([0, 1, 3, 6, 7, 10, 14, 15, 16, 19])
    whole = STLight(GridLayout((4, 5), np.arange(20)), features_in=2, features_out=3, dim=8, generator=generator())
    part = STLight(GridLayout((4, 5), sea), features_in=2, features_out=3, dim=8, generator=generator())
    stream = torch.randn(3, len(sea), 2, generator=generator(1))
    filled = torch.zeros(3, 20, 2)
    filled[:, sea] = stream
    torch.testing.assert_close(part.eval()(stream), whole.eval()(filled)[:, sea])


def test_same_generator_same_weights_and_the_global_one_is_left_alone():
    before = torch.get_rng_state()
    first, second = pair()[0], pair()[0]
    torch.set_rng_state(before)
    STLightCore(3, 2, dim=8, depth=3, generator=generator())
    assert torch.equal(torch.get_rng_state(), before)
    for mine, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(mine, other)


def test_initial_weights_are_kaiming_by_fan_out_but_uniform_in_the_last_layer():
    core = STLightCore(10, 10, dim=256, depth=2, patch=2, generator=generator())
    assert core.mixers[0].point.weight.detach().std() == pytest.approx((2 / 256) ** 0.5, rel=0.05)
    assert core.mixers[0].far.weight.detach().std() == pytest.approx((2 / (256 * 49)) ** 0.5, rel=0.05)
    assert core.encoder.conv.weight.detach().std() == pytest.approx((2 / (256 * 4)) ** 0.5, rel=0.05)
    assert not core.mixers[1].near.bias.any()
    largest = core.decoder.weight.detach().abs().max()
    assert 0.9 * 64**-0.5 < largest <= 64**-0.5


def test_bfloat16_autocast_stays_near_float32():
    ours, _ = pair(dim=16)
    x = torch.randn(4, 3, 12, 18, generator=generator(1))
    exact, slopes = gradients(ours, x, torch.zeros(4, 2, 12, 18))
    ours.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        out = ours(x)
    out.float().square().mean().backward()
    assert (out.float() - exact).norm() < 0.05 * exact.norm()
    assert (ours.mixers[0].far.weight.grad - slopes[1 + 6]).norm() < 0.3 * slopes[1 + 6].norm()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 6}, "multiple of 4; 6 came"),
        ({"dim": 8, "kernel": (3, 6)}, "must be odd"),
        ({"dim": 8, "depth": 0}, "at least 1"),
    ],
)
def test_an_impossible_network_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        STLightCore(1, 1, **{"depth": 1, **options})
