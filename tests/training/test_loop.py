"""Laws of the training loop, of its checkpoint and of what-ifs, on a small linear backbone with batch norm."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from dynst.domain import Field, GridLayout, Sites, Window
from dynst.errors import CheckpointError, ConfigError, DataError
from dynst.sparsity import Evidence, MaskState, Schedule, SensorMask
from dynst.training import MaskedForecaster, Recipe, TrainingState, WhatIf, restore_training, save_training, train
from dynst.training.loop import window_order
from dynst.windows import Scaling
from dynst.windows.dataset import WindowDataset

N, WINDOW = 12, Window(2, 2)


class Mixer(nn.Module):
    """A small backbone over all sites, with the batch norm that makes train and evaluation differ."""

    def __init__(self, features_in, features_out):
        super().__init__()
        self.inner = nn.Linear(N * features_in, 24)
        self.norm = nn.BatchNorm1d(24)
        self.outer = nn.Linear(24, N * features_out)

    def forward(self, stream):
        hidden = torch.nn.functional.gelu(self.norm(self.inner(stream.flatten(1))))
        return self.outer(hidden).reshape(len(stream), N, -1)


def field(steps=80, seed=0, missing=0.0, spike=None):
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.standard_normal((steps, N, 1)), axis=0) * 0.1 + np.sin(np.arange(steps) / 4)[:, None, None]
    values[rng.random(values.shape) < missing] = np.nan
    if spike is not None:
        values[spike] = 1e30
    layout = GridLayout((3, 4), np.arange(N))
    return Field.of(values, Sites(np.arange(N, dtype=float), np.zeros(N)), layout)


def windows(record, scaling=None):
    return WindowDataset(record, WINDOW, scaling or Scaling.fit(record))


RECIPE = Recipe(batch=8, evaluate_every=5)
SCHEDULE = Schedule(steps=40, start=10, target=4, interval=3)


def fresh(recipe=RECIPE, *, seed=0, pattern="F1x111111x11", flag=True):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        backbone = Mixer(2 + flag, 2)
    mask = SensorMask(MaskState.of(pattern), flag=flag)
    return TrainingState.start(MaskedForecaster(backbone, mask, channels_out=1), recipe, seed=seed)


def run(state, *, until=None, data=None, schedule=SCHEDULE, recipe=RECIPE, valid=None, worth=None):
    data = data or windows(field())
    steps = train(state, data, schedule=schedule, recipe=recipe, weight=np.ones(N), valid=valid, worth=worth)
    return list(itertools.islice(steps, None if until is None else until - state.step))


def assert_same(one, other):
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_the_loss_falls_on_a_field_that_can_be_forecast():
    records = run(fresh(), schedule=Schedule.constant(80, 10))
    assert np.mean([r.loss for r in records[-10:]]) < 0.5 * np.mean([r.loss for r in records[:5]])


def test_the_active_count_is_the_schedule_after_every_step_and_records_add_up():
    state = fresh()
    active = set(state.forecaster.mask.state.active.nonzero().squeeze(-1).tolist())
    data = windows(field())
    for record in train(state, data, schedule=SCHEDULE, recipe=RECIPE, weight=np.ones(N)):
        active = (active | set(record.births)) - set(record.deaths)
        mask = state.forecaster.mask.state
        assert active == set(mask.active.nonzero().squeeze(-1).tolist())
        assert mask.n_active == SCHEDULE.n_active(record.step) == record.n_active
        assert {0} <= active
        assert not active & {2, 9}
    assert record.step == SCHEDULE.steps - 1


def test_the_same_seed_gives_the_same_trace_and_another_seed_another():
    first, second, third = (run(fresh(), until=12), run(fresh(), until=12), run(fresh(seed=1), until=12))
    assert first == second
    assert [r.loss for r in first] != [r.loss for r in third]


@pytest.mark.parametrize("stop", [3, 17, 29])
@pytest.mark.parametrize(
    "recipe", [RECIPE, dataclasses.replace(RECIPE, rewind=True, drop_by="magnitude", grow_by="random", l1=1e-3)]
)
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(tmp_path, stop, recipe):
    scaling = Scaling.fit(field())
    data, valid = windows(field(missing=0.1), scaling), windows(field(30, seed=1), scaling)
    whole = fresh(recipe)
    records = run(whole, data=data, valid=valid, recipe=recipe)

    path, study = tmp_path / "train.safetensors", {"data": "f00", "k": 4}
    halted = fresh(recipe)
    first = run(halted, until=stop, data=data, valid=valid, recipe=recipe)
    save_training(path, halted, study=study)
    resumed = fresh(recipe)
    restore_training(path, resumed, study=study)
    second = run(resumed, data=data, valid=valid, recipe=recipe)

    assert first + second == records
    assert_same(whole.forecaster, resumed.forecaster)
    assert whole.best_error == resumed.best_error
    assert whole.history == resumed.history
    assert whole.best.keys() == resumed.best.keys()
    assert all(torch.equal(value, resumed.best[name]) for name, value in whole.best.items())
    assert torch.equal(whole.evidence.average, resumed.evidence.average)
    assert [path.name for path in tmp_path.iterdir()] == ["train.safetensors"], "no partial file is left"


def test_a_checkpoint_of_another_study_is_refused(tmp_path):
    path, state = tmp_path / "train.safetensors", fresh()
    save_training(path, state, study={"data": "f00", "k": 4})
    with pytest.raises(CheckpointError, match="another study: k is 4 there and 5 here"):
        restore_training(path, state, study={"data": "f00", "k": 5})


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path, state = tmp_path / "train.safetensors", fresh()
    save_training(path, state, study={})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        restore_training(path, state, study={})


def test_a_save_that_dies_half_way_leaves_the_former_checkpoint(tmp_path, monkeypatch):
    path, state = tmp_path / "train.safetensors", fresh()
    save_training(path, state, study={})
    former = path.read_bytes()
    run(state, until=2)

    def die(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", die)
    with pytest.raises(KeyboardInterrupt):
        save_training(path, state, study={})
    assert path.read_bytes() == former


def test_a_value_that_blows_up_the_loss_is_an_error_that_names_the_windows():
    record = field()
    scaling = Scaling.fit(record)
    data = windows(field(spike=20), scaling)
    with pytest.raises(DataError, match=r"training step \d+: the loss is (inf|nan).*batch of windows") as caught:
        run(fresh(), data=data)
    named = [int(word) for word in str(caught.value).split("windows ")[1].split(".")[0].split(", ")]
    assert any(start <= 20 < start + WINDOW.length for start in named)


def test_the_best_weights_are_chosen_only_under_the_final_support_and_can_be_put_back():
    record = field()
    data, valid = windows(record), windows(field(30, seed=1), Scaling.fit(record))
    state = fresh()
    records = run(state, data=data, valid=valid)
    judged = [r for r in records if r.valid_error is not None]
    assert judged
    assert all(SCHEDULE.is_final(r.step + 1) and r.n_active == SCHEDULE.target for r in judged)
    assert state.best_error == min(r.valid_error for r in judged)
    assert [r.valid_error for r in judged if r.best][-1] == state.best_error
    support = state.forecaster.mask.state.active
    state.use_best()
    assert torch.equal(state.forecaster.mask.state.active, support)


def test_sparsity_zero_trains_the_network_as_without_a_mask():
    """Pruning to all sites and no swap is the dense run bit for bit."""
    plain = dataclasses.replace(RECIPE, conditioned=False)
    dense = Schedule(steps=12, start=N, target=N, interval=3, alpha=0.0)
    masked = fresh(plain, pattern="1" * N, flag=False)
    run(masked, schedule=dense, recipe=plain)

    class Open(nn.Module):
        """A gate that is not there."""

        def __init__(self):
            super().__init__()
            self.score = nn.Parameter(torch.ones(N))
            self.step = 0
            self.state = MaskState.of("1" * N)

        def forward(self, stream, others, presence):
            return stream + 0 * self.score.sum()

    bare = fresh(plain, pattern="1" * N, flag=False)
    bare.forecaster.mask = Open()
    bare = TrainingState.start(bare.forecaster, plain, seed=0)
    run(bare, schedule=dense, recipe=plain)
    assert_same(masked.forecaster.backbone, bare.forecaster.backbone)


def test_the_moments_of_a_regrown_site_start_anew():
    state = fresh()
    for record in train(state, windows(field()), schedule=SCHEDULE, recipe=RECIPE, weight=np.ones(N)):
        if record.births:
            moments = state.optimiser.state[state.forecaster.mask.score]
            assert all(moments[name][list(record.births)].abs().sum() == 0 for name in ("exp_avg", "exp_avg_sq"))
            stayed = state.forecaster.mask.state.active.clone()
            stayed[list(record.births)] = False
            assert (moments["exp_avg"][stayed] != 0).any()
            return
    pytest.fail("no site was born; the schedule of this test must swap")


def test_rewinding_puts_the_first_weights_back_at_a_pruning():
    recipe = dataclasses.replace(RECIPE, rewind=True)
    state = fresh(recipe)
    first = {name: value.clone() for name, value in state.forecaster.backbone.state_dict().items()}
    for record in train(state, windows(field()), schedule=SCHEDULE, recipe=recipe, weight=np.ones(N)):
        if record.phase == "pruning" and record.deaths:
            assert all(torch.equal(value, first[k]) for k, value in state.forecaster.backbone.state_dict().items())
            return
    pytest.fail("no pruning happened")


def test_l1_shrinks_scores_without_entering_the_evidence():
    strong = dataclasses.replace(RECIPE, l1=10.0)
    plain, shrunk = fresh(), fresh(strong)
    run(plain, until=1)
    run(shrunk, until=1, recipe=strong)
    assert torch.equal(plain.evidence.signed, shrunk.evidence.signed)
    assert (shrunk.forecaster.mask.score < 1).all()


@pytest.mark.parametrize(
    "names", list(itertools.product(["magnitude", "gradient", "exact"], ["random", "benefit", "exact"]))
)
def test_any_pair_of_saliencies_drops_and_grows(names):
    recipe = dataclasses.replace(RECIPE, drop_by=names[0], grow_by=names[1])
    state, data = fresh(recipe), windows(field(40))
    what_if = WhatIf(state.forecaster, data.batch(np.arange(6)), torch.ones(N))
    records = run(state, data=data, recipe=recipe, worth=what_if.worth)
    assert records[-1].n_active == 4
    assert any(r.deaths for r in records)


def test_bf16_trains_to_about_the_same_loss():
    recipe = dataclasses.replace(RECIPE, precision="bf16")
    constant = Schedule.constant(30, 10)
    exact, rough = run(fresh(), schedule=constant), run(fresh(recipe), schedule=constant, recipe=recipe)
    assert rough[-1].loss == pytest.approx(exact[-1].loss, rel=0.1)  # bfloat16 keeps 8 bits


def test_the_learning_rate_rises_and_falls_as_promised():
    recipe = Recipe()
    rates = [recipe.rate_at(step, 100) for step in range(101)]
    assert rates[0] == pytest.approx(recipe.learning_rate / 25)
    assert max(rates) == rates[30] == pytest.approx(recipe.learning_rate)
    assert rates[100] == pytest.approx(recipe.learning_rate / 25e4)
    assert all(a <= b for a, b in itertools.pairwise(rates[:31]))
    assert all(a >= b for a, b in itertools.pairwise(rates[30:]))
    falling = [Recipe(rate="cosine").rate_at(step, 10) for step in range(11)]
    assert falling == sorted(falling, reverse=True)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"drop_by": "benefits"}, 'Did you mean "benefit"'),
        ({"precision": "16"}, 'precision "16" is unknown'),
        ({"rate": "linear"}, 'schedule "linear" is unknown'),
        ({"batch": 0}, "at least 1"),
        ({"clip": 0.0}, "must be positive"),
    ],
)
def test_options_that_make_no_sense_are_a_config_error(wrong, words):
    with pytest.raises(ConfigError, match=words):
        Recipe(**wrong)


def test_an_error_that_is_no_number_is_never_the_best():
    state = fresh()
    assert not state.keep_best(math.nan)
    assert not state.best
    assert state.keep_best(2.0)
    assert not state.keep_best(math.nan)
    assert not state.keep_best(2.0)
    assert state.keep_best(1.0)
    assert state.best_error == 1.0


def test_device_auto_is_a_device_that_is_there():
    assert Recipe(device="auto").device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert torch.zeros(1, device=Recipe(device="auto").device).item() == 0


def test_every_window_comes_once_in_each_round_and_the_order_follows_from_the_seed():
    rounds = list(itertools.islice(window_order(12, 4, seed=3), 6))
    for batches in (rounds[:3], rounds[3:]):
        assert sorted(itertools.chain(*(b.tolist() for b in batches))) == list(range(12))
    again = list(itertools.islice(window_order(12, 4, seed=3), 6))
    assert all((a == b).all() for a, b in zip(rounds, again, strict=True))


class TestWhatIf:
    @pytest.fixture
    def trained(self):
        state = fresh()
        data = windows(field())
        run(state, data=data, until=30)
        return WhatIf(state.forecaster.train(), data.batch(np.arange(0, 40, 2)), torch.ones(N))

    def test_pitfall_7_the_same_layout_scored_twice_gives_the_same_number(self, trained):
        layout = MaskState.of("110000000011").active[None]
        first = trained.losses(layout)
        norm = trained.forecaster.backbone.norm.running_mean.clone()
        assert torch.equal(trained.losses(layout), first)
        assert torch.equal(trained.forecaster.backbone.norm.running_mean, norm)
        assert trained.forecaster.training, "the mode it was found in is put back"

    def test_pitfall_6_layouts_of_different_counts_are_not_compared(self, trained):
        layouts = torch.stack([MaskState.of(p).active for p in ("110000000000", "111000000000")])
        with pytest.raises(AssertionError, match="only comparable at one count"):
            trained.losses(layouts)

    def test_the_gate_gradient_is_the_slope_of_the_loss_along_the_gate(self, trained):
        layout = trained.forecaster.mask.state.active.float()
        before = trained.forecaster.mask.state
        gradient = trained.gradient(layout > 0)
        after = trained.forecaster.mask.state
        assert torch.equal(before.active, after.active)
        assert torch.equal(before.score, after.score)

        def loss_at(gate):
            forecaster = trained.forecaster.eval()
            forecaster.mask.support.copy_(gate)
            prediction = forecaster(trained.batch.inputs).detach()
            forecaster.mask.support.copy_(layout)
            return float((prediction - trained.batch.targets).double().square().mean())

        for site in (0, 1, 5):
            step = torch.zeros(N)
            step[site] = 1e-2
            slope = (loss_at(layout + step) - loss_at(layout - step)) / 2e-2
            assert gradient[site].item() == pytest.approx(slope, rel=2e-2, abs=1e-4)  # float32 differences

    def test_worth_orders_the_sites_in_doubt_by_their_loss_at_one_count(self, trained):
        mask, generator = MaskState.of("F11110000x00"), torch.Generator().manual_seed(0)
        evidence = Evidence.empty(N).add(torch.randn(N, generator=generator))
        worth = trained.worth(mask, evidence, 5, 1)
        benefit = -evidence.average
        weakest = sorted(range(1, 5), key=lambda s: benefit[s])[:2]
        strongest = sorted((5, 6, 7, 8, 10, 11), key=lambda s: -benefit[s])[:2]
        base = mask.active.clone()
        base[weakest] = False
        for site in weakest + strongest:
            layout = base.clone()
            layout[site] = True
            assert worth[site].item() == -trained.losses(layout[None]).item()
        beyond = worth.isinf().nonzero().squeeze(-1).tolist()
        assert set(beyond) == set(range(N)) - {*weakest, *strongest}
        assert all((worth[s] > 0) == bool(mask.active[s]) for s in beyond)

    def test_a_layout_scored_alone_is_the_loss_of_the_forecast(self, trained):
        layout = trained.forecaster.mask.state.active.float()
        prediction = trained.forecaster.eval()(trained.batch.inputs)
        expected = (prediction - trained.batch.targets).square().mean().item()
        assert trained.losses(layout[None] > 0).item() == pytest.approx(expected, rel=1e-5)


def test_missing_inputs_lower_the_flag_and_missing_targets_do_not_count():
    record = field(missing=0.3)
    data = windows(record)
    losses = [r.loss for r in run(fresh(), data=data, until=10)]
    assert all(math.isfinite(loss) for loss in losses)
