"""`VideoCoSwin(embed='patch')` beside mmaction2's SwinTransformer3D with copied weights: equal where windows divide the maps;
where they do not, ours gives of equal frames what the image tower gives, theirs does not.
"""

import pytest
import torch

from florence.models.backbones.coswin import CoSwin
from florence.models.backbones.video_coswin import VideoCoSwin
from florence.models.converters.swin import florence_to_swin

swin = pytest.importorskip('mmaction.models.backbones.swin')

ARCH = dict(embed_dims=(24, 48, 96, 192), depths=(2, 2, 2, 2), num_heads=(1, 2, 4, 8), window_size=7)
THEIR_ARCH = dict(embed_dims=24, depths=[2, 2, 2, 2], num_heads=[1, 2, 4, 8])


def towers(window: tuple[int, int, int]):
    """An image tower with weights of a realistic size, ours and mmaction2's inflated from it."""
    image = CoSwin(ARCH, embed='patch', shift_before_pad=False).eval()
    with torch.no_grad():
        for name, parameter in image.named_parameters():
            parameter.add_((0.5 if 'table' in name else 0.05) * torch.randn_like(parameter))
    ours = VideoCoSwin(ARCH, embed='patch', window_size=[window] * 4).eval()
    ours.inflate_from(image.state_dict())
    peer = swin.SwinTransformer3D(THEIR_ARCH, window_size=window)
    missing, unexpected = peer.load_state_dict(florence_to_swin(ours.state_dict(), fmt='mmaction'), strict=False)
    assert not unexpected and all(key.endswith('relative_position_index') for key in missing)
    torch.nn.Module.train(peer, False)  # its own `train` keeps no promise of returning the model
    return image, ours, peer


def largest_difference(output: torch.Tensor, expected: torch.Tensor) -> float:
    return ((output - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.parametrize(
    ('window', 'frames', 'size'),
    [
        ((8, 7, 7), 16, (224, 224)),  # one window over time
        ((4, 7, 7), 16, (224, 224)),  # windows shifted over time
        ((2, 7, 7), 8, (224, 448)),
    ],
)
def test_equal_where_windows_divide(window, frames, size):
    _, ours, peer = towers(window)
    clip = torch.randn(1, 3, frames, *size)
    with torch.no_grad():
        assert largest_difference(ours(clip), peer(clip)) <= 1e-5


def test_equal_where_space_is_padded():
    """Padded rows and columns are attended to in both, and in the image tower."""
    _, ours, peer = towers((4, 7, 7))
    clip = torch.randn(1, 3, 8, 250, 230)
    with torch.no_grad():
        assert largest_difference(ours(clip), peer(clip)) <= 1e-5


@pytest.mark.parametrize(
    ('window', 'frames', 'size', 'theirs'),
    [
        ((8, 7, 7), 16, (112, 112), 1e-2),  # the last map is smaller than the window
        ((3, 7, 7), 16, (224, 224), 1e-2),  # three do not divide eight steps
    ],
)
def test_ours_is_right_where_theirs_is_not(window, frames, size, theirs):
    image, ours, peer = towers(window)
    frame = torch.randn(1, 3, *size)
    clip = frame.unsqueeze(2).expand(-1, -1, frames, -1, -1)
    with torch.no_grad():
        expected = image(frame)[0].unsqueeze(2)
        assert largest_difference(ours(clip), expected) <= 1e-5
        assert largest_difference(peer(clip), expected) > theirs
