"""Laws of the stream morph."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.sparsity import MaskState, SensorMask, morph, unmorph

LAW = settings(max_examples=30, deadline=None)
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 7), st.integers(1, 3))
TYPES = st.sampled_from([torch.float32, torch.float64, torch.int64, torch.bool])


@LAW
@given(SHAPES, TYPES)
def test_unmorph_undoes_morph_bit_for_bit(shape, kind):
    frames = (torch.randn(shape) * 9).to(kind)
    again = unmorph(morph(frames), channels=shape[-1])
    assert again.dtype == kind
    assert torch.equal(again, frames)


@LAW
@given(SHAPES)
def test_a_feature_is_a_step_and_a_channel_of_one_site(shape):
    b, t, n, c = shape
    frames = torch.arange(b * t * n * c).reshape(shape)
    stream = morph(frames)
    for step in range(t):
        for channel in range(c):
            assert torch.equal(stream[:, :, step * c + channel], frames[:, step, :, channel])


@LAW
@given(SHAPES, st.data())
def test_a_mask_on_the_stream_is_the_same_mask_on_every_frame(shape, data):
    n = shape[2]
    pattern = "".join(data.draw(st.lists(st.sampled_from("10"), min_size=n, max_size=n)))
    frames = torch.randn(shape)
    mask = SensorMask(MaskState.of(pattern))
    masked_frames = frames * mask.state.active[:, None]
    assert torch.equal(unmorph(mask(morph(frames)), channels=shape[-1]), masked_frames)


def test_features_that_are_no_whole_frames_are_refused():
    with pytest.raises(ValueError, match="5 features are not whole frames of 2 channels"):
        unmorph(torch.zeros(1, 3, 5), channels=2)
