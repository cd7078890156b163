"""Embeddings over time: a clip of one frame repeated gives what the frame gives, at each step, the first and last included."""

import pytest
import torch

from florence.layers import ConvEmbed, ConvEmbed3d, FrameMerging, PatchMerging

ROWS = {  # kernel over time, step in time: steps out of eight
    (1, 1): 8,
    (3, 1): 8,
    (5, 1): 8,
    (2, 2): 4,
    (3, 3): 3,
}


@pytest.mark.parametrize(('kernel', 'stride'), [(3, 2), (7, 4), (4, 4)])
@pytest.mark.parametrize(('time', 'steps'), ROWS.items())
def test_frames_that_are_alike(kernel, stride, time, steps):
    image = ConvEmbed(3, 8, kernel, stride).double()
    clip = ConvEmbed3d(3, 8, kernel, stride, *time).double()
    weights = image.state_dict()
    # unequal parts, so that a step that is padded wrongly shows
    parts = torch.rand(time[0], dtype=torch.float64)
    weights['proj.weight'] = weights['proj.weight'].unsqueeze(2) * (parts / parts.sum()).view(-1, 1, 1)
    clip.load_state_dict(weights)
    x = torch.randn(2, 1, 13, 10, 3, dtype=torch.float64)
    with torch.no_grad():
        expected, out = image(x[:, 0]), clip(x.expand(-1, 8, -1, -1, -1))
    assert out.shape == (2, steps, *expected.shape[1:])
    torch.testing.assert_close(out, expected[:, None].expand_as(out), atol=1e-12, rtol=1e-12)


def test_zeros_beyond_the_ends_would_break_the_first_and_last_step():
    """Why the ends are copied: the convolution's own padding differs there, and only there."""
    clip = ConvEmbed3d(3, 8, 3, 2, 3).double()
    x = torch.randn(1, 1, 8, 8, 3, dtype=torch.float64).expand(-1, 8, -1, -1, -1)
    with torch.no_grad():
        zeros = torch.nn.functional.conv3d(
            x.permute(0, 4, 1, 2, 3), clip.proj.weight, clip.proj.bias, stride=(1, 2, 2), padding=1
        ).permute(0, 2, 3, 4, 1)
        difference = (clip.norm(zeros) - clip(x)).abs().amax((0, 2, 3, 4))
    assert (difference[[0, -1]] > 0.1).all() and (difference[1:-1] < 1e-12).all()


@pytest.mark.parametrize('steps', [1, 2, 3, 5])
def test_the_last_tube_is_filled_with_the_last_frame(steps):
    clip = ConvEmbed3d(3, 8, 4, 4, 2, 2)
    x = torch.randn(1, steps, 8, 8, 3)
    whole = torch.cat([x, x[:, -1:]], 1) if steps % 2 else x
    with torch.no_grad():
        assert torch.equal(clip(x), clip(whole))
    assert clip(x).shape[1] == -(-steps // 2)


def test_merging_looks_at_neighbouring_steps():
    clip = ConvEmbed3d(3, 8, 3, 2, 3)
    x = torch.randn(1, 7, 8, 8, 3, requires_grad=True)
    (clip(x)[:, 3] * torch.randn(8)).sum().backward()
    assert (x.grad.abs().amax((0, 2, 3, 4)) > 0).tolist() == [False, False, True, True, True, False, False]


def test_frame_merging_is_that_of_each_frame():
    image, clip = PatchMerging(4, 8), FrameMerging(4, 8)
    clip.load_state_dict(image.state_dict())
    x = torch.randn(2, 3, 5, 6, 4)
    with torch.no_grad():
        torch.testing.assert_close(clip(x), torch.stack([image(frame) for frame in x.unbind(1)], 1))


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        ((3, 8, 2, 4, 2, 2), 'must cover the stride'),
        ((3, 8, 4, 4, 2, 1), 'or 1 with an odd kernel, got 1 and 2'),
        ((3, 8, 4, 4, 3, 2), 'the step must be that of the kernel'),
        ((3, 8, 4, 4, 0, 0), 'the step must be that of the kernel'),
    ],
)
def test_mistakes_get_a_sentence(args, message):
    with pytest.raises(ValueError, match=message):
        ConvEmbed3d(*args)
