"""Made records: only the planted sites know the future."""

import numpy as np
import pytest

from dynst.errors import ConfigError
from dynst.readers import read
from dynst.readers.synthetic import planted, white_noise


def explained(field, sites, *, lead, history=4):
    """Share of the variance at all other sites that these sites' history explains out of sample."""
    x = field.series.read(0, field.steps)[..., 0].astype(float)
    rows = np.arange(history - 1, field.steps - lead)
    inputs = np.concatenate([x[rows - lag][:, sites] for lag in range(history)], axis=1)
    targets = x[rows + lead]
    half = len(rows) // 2
    weights = np.linalg.lstsq(inputs[:half], targets[:half], rcond=None)[0]
    error = ((targets[half:] - inputs[half:] @ weights) ** 2).mean(axis=0)
    return 1 - error / (targets[half:] ** 2).mean(axis=0)


@pytest.mark.parametrize("lead", [1, 2, 4])
def test_the_sources_explain_all_but_the_noise(lead):
    field, sources = planted(noise=0.3, steps=3000)
    others = np.setdiff1d(np.arange(80), sources)
    share = explained(field, sources, lead=lead)
    # variance of a site 1 + 0.09, of which the sources explain 1; 12 weights from 1500 rows cost 1 %
    assert share[others].mean() == pytest.approx(1 / 1.09, abs=0.02)


@pytest.mark.parametrize("lead", [1, 2, 4])
def test_nobody_else_explains_anything(lead):
    field, sources = planted(noise=0.3, steps=3000)
    others = np.setdiff1d(np.arange(80), sources)
    assert explained(field, others[:5], lead=lead)[others].mean() < 0.005


def test_the_same_seed_gives_the_same_record_and_another_seed_another():
    one, again, other = read("synthetic:planted:3"), read("synthetic:planted:3"), read("synthetic:planted:4")
    np.testing.assert_array_equal(one.series.read(0, 800), again.series.read(0, 800))
    assert one.origin.fingerprint == again.origin.fingerprint != other.origin.fingerprint


def test_memory_gives_the_sources_a_past():
    field, sources = planted(memory=0.8, steps=4000)
    x = field.series.read(0, 4000)[:, sources[0], 0]
    assert np.corrcoef(x[1:], x[:-1])[0, 1] == pytest.approx(0.8, abs=0.04)
    assert x.std() == pytest.approx(1.0, abs=0.1)


def test_white_noise_has_no_memory():
    x = white_noise(steps=2000).series.read(0, 2000)[..., 0]
    assert abs(np.mean(x[1:] * x[:-1])) < 0.01


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("synthetic:plantd", 'Did you mean "planted"'),
        ("synthetic:planted:x", "seed must be a whole number"),
    ],
)
def test_wrong_names(data, message):
    with pytest.raises(ConfigError, match=message):
        read(data)


def test_impossible_numbers():
    with pytest.raises(ConfigError, match="1 <= j < 80"):
        planted(j=80)
