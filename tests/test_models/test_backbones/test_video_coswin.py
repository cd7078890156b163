"""Video CoSwin: a clip of one frame repeated gives what the image tower gives; the backbone contract; parameter counts."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from florence.models.backbones.coswin import CoSwin
from florence.models.backbones.coswin_archs import ARCHS
from florence.models.backbones.video_coswin import VideoCoSwin
from florence.registry import MODELS
from tests import backbone_contract as contract

SMALL = dict(embed_dims=(16, 32, 48, 64), depths=(2, 2, 2, 1), num_heads=(1, 2, 3, 4), window_size=7)
WINDOWS = {
    'of each stage': None,
    'that divide the steps': [(2, 7, 7)] * 4,
    'that do not': [(3, 7, 7)] * 4,
    'of one step': [(1, 7, 7)] * 4,
    'longer than the clip': [(16, 7, 7)] * 4,
    'of odd stages': [(1, 7, 7), (2, 7, 7), (3, 7, 7), (8, 7, 7)],
}


def lively(model: nn.Module) -> nn.Module:
    """Weights of the size that trained ones have: bias tables, biases and norms away from their start."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_((0.5 if 'table' in name else 0.05) * torch.randn_like(parameter))
    return model.eval()


def difference(tower: CoSwin, video: VideoCoSwin, frames: int, size: tuple[int, int]) -> float:
    """Largest difference of any step, over the largest value, between a clip of one frame and the frame."""
    parameter = next(tower.parameters())
    image = torch.randn(1, 3, *size, dtype=parameter.dtype)
    with torch.no_grad():
        expected, clip = tower(image), video(image.unsqueeze(2).expand(-1, -1, frames, -1, -1))
    clip = clip if isinstance(clip, tuple) else (clip,)
    assert len(clip) == len(expected)
    differences = []
    for steps, frame in zip(clip, expected, strict=True):
        assert steps.shape == (*frame.shape[:2], -(-frames // video.tube_size), *frame.shape[2:])
        differences.append(((steps - frame.unsqueeze(2)).abs().max() / frame.abs().max()).item())
    return max(differences)


@pytest.mark.parametrize('windows', WINDOWS.values(), ids=WINDOWS.keys())
@pytest.mark.parametrize('embed', ['conv', 'patch'])
@pytest.mark.parametrize('inflation', ['average', 'center'])
def test_frames_that_are_alike_give_what_one_gives(windows, embed, inflation):
    """In double precision exactly; maps are multiples of the window, smaller, and neither; long, odd and short clips."""
    outputs = (0, 1, 2, 3)
    tower = lively(CoSwin(SMALL, embed=embed, shift_before_pad=False, out_indices=outputs).double())
    video = VideoCoSwin(SMALL, embed=embed, window_size=windows, inflation=inflation, out_indices=outputs).double().eval()
    video.inflate_from(tower.state_dict())
    for frames, size in ((16, (56, 56)), (7, (93, 61)), (1, (64, 112))):
        assert difference(tower, video, frames, size) <= 1e-12, (frames, size)


@pytest.mark.parametrize(('size', 'frames'), [((224, 224), 8), ((112, 112), 16), ((197, 75), 9), ((112, 112), 1)])
@pytest.mark.parametrize('embed', ['conv', 'patch'])
def test_single_precision(size, frames, embed):
    tower = lively(CoSwin(SMALL, embed=embed, shift_before_pad=False))
    video = VideoCoSwin(SMALL, embed=embed).eval()
    video.inflate_from(tower.state_dict())
    assert difference(tower, video, frames, size) <= 1e-5


@pytest.mark.parametrize('embed', ['conv', 'patch'])
@pytest.mark.parametrize('tube_size', [1, 3])
def test_the_other_order_of_shift_and_padding(embed, tube_size):
    tower = lively(CoSwin(SMALL, embed=embed, shift_before_pad=True).double())
    video = VideoCoSwin(SMALL, embed=embed, shift_before_pad=True, tube_size=tube_size).double().eval()
    video.inflate_from(tower.state_dict())
    assert difference(tower, video, 5, (93, 125)) <= 1e-12


def test_smaller_windows_take_the_centre_of_the_tables():
    """Rows and columns differ; an image tower of the same windows is made by hand from the centre of its tables."""
    tower = lively(CoSwin(SMALL).double())
    weights = tower.state_dict()
    for key in [key for key in weights if key.endswith('table')]:
        weights[key] = weights[key].view(13, 13, -1)[3:-3, 3:-3].flatten(0, 1)
    smaller = CoSwin(SMALL, window_size=4).double().eval()
    smaller.load_state_dict(weights)
    video = VideoCoSwin(SMALL, window_size=4).double().eval()
    video.inflate_from(tower.state_dict())
    assert difference(smaller, video, 6, (72, 50)) <= 1e-12


def test_larger_windows_take_the_tables_that_the_image_tower_takes():
    tower = lively(CoSwin(SMALL).double())
    larger = CoSwin(SMALL, window_size=9).double().eval()
    larger.load_state_dict(tower.state_dict())
    video = VideoCoSwin(SMALL, window_size=9).double().eval()
    video.inflate_from(tower.state_dict())
    # bicubic resizing is done in single precision
    assert difference(larger, video, 5, (160, 120)) <= 1e-6


def test_frames_that_differ_are_seen():
    """Swapping two frames changes the output, also those of other tubes: merging and windows look along time."""
    video = lively(VideoCoSwin(SMALL)).eval()
    clip = torch.randn(1, 3, 8, 64, 64)
    swapped = clip[:, :, [0, 1, 2, 3, 4, 5, 7, 6]]
    with torch.no_grad():
        change = (video(clip) - video(swapped)).abs().amax((0, 1, 3, 4))
    assert change.shape == (4,) and (change > 1e-3).all()


class OnImages(nn.Module):
    """Shows the contract an image tower: a clip of three frames made of each image, outputs averaged over time."""

    def __init__(self, **kwargs) -> None:
        super().__init__()
        self.video = VideoCoSwin(**kwargs)
        self.out_channels, self.embed_dims = self.video.out_channels, self.video.embed_dims

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        outputs = self.video(torch.stack([images, 0.5 * images.roll(1, -1), -images], dim=2))
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return tuple(output.mean(2) for output in outputs)


BUILDS = {
    'conv': lambda **kwargs: OnImages(arch=SMALL, **kwargs),
    'patch': lambda **kwargs: OnImages(arch=SMALL, embed='patch', **kwargs),
}
each_build = pytest.mark.parametrize('build', BUILDS.values(), ids=BUILDS.keys())


@each_build
@contract.each_check
def test_contract(build, check):
    check(build)


@each_build
def test_frozen_stages(build):
    contract.check_frozen(build, lambda model: [model.video.stages[0]])


@pytest.mark.parametrize(('window', 'millions'), [(7, 643.63), (12, 652.07)])
def test_parameters_are_those_of_the_paper(window, millions):
    with torch.device('meta'):
        video = VideoCoSwin('huge', window_size=window)
    count = sum(parameter.numel() for parameter in video.parameters()) / 1e6
    assert count == pytest.approx(millions, abs=0.01)
    assert count == pytest.approx(647, rel=0.01)


def test_kernels_over_time_in_each_merging_would_be_too_many():
    with torch.device('meta'):
        video = VideoCoSwin(dict(ARCHS['huge'], merge_time_kernels=(3, 3, 3)))
    assert sum(parameter.numel() for parameter in video.parameters()) / 1e6 == pytest.approx(690.82, abs=0.01)


def test_depth_of_parameters():
    video = VideoCoSwin(SMALL)
    depths = {name: video.parameter_depth(name) for name, _ in video.named_parameters()}
    assert {top for _, top in depths.values()} == {8}
    assert depths['stages.0.embed.proj.weight'][0] == 0
    assert depths['stages.1.embed.proj.weight'][0] == depths['stages.1.blocks.0.norm1.weight'][0] == 3
    assert depths['stages.3.blocks.0.attn.relative_position_bias_table'][0] == 7
    assert depths['norm3.weight'][0] == 8


def test_builds_from_the_registry():
    model = MODELS.build(dict(type='VideoCoSwin', arch='nano', out_indices=[1, 3], window_size=[[2, 4, 4]] * 4))
    assert model.out_channels == [96, 256]
    assert [stage.blocks[0].attn.window_size for stage in model.stages] == [(2, 4, 4)] * 4
    first, last = model(torch.randn(1, 3, 3, 32, 48))
    assert first.shape == (1, 96, 2, 4, 6) and last.shape == (1, 256, 2, 1, 2)


def test_windows_grow_with_the_stages():
    video = VideoCoSwin('nano')
    assert [stage.blocks[0].attn.window_size for stage in video.stages] == [(2, 8, 8), (4, 8, 8), (8, 8, 8), (16, 8, 8)]
    drops = [block.drop_path.drop_prob for stage in VideoCoSwin('tiny').stages for block in stage.blocks]
    assert drops[0] == 0 and drops[-1] == pytest.approx(0.2) and all(a < b for a, b in itertools.pairwise(drops))


def test_compiles_to_one_graph():
    video = lively(VideoCoSwin(dict(SMALL, depths=(2, 1, 1, 1)), window_size=[(8, 7, 7)] * 4))
    clip = torch.randn(1, 3, 5, 37, 28)
    compiled = torch.compile(video, fullgraph=True, backend='aot_eager')
    gradients = []
    for model in (video, compiled):
        video.zero_grad()
        output = model(clip)
        output.square().sum().backward()
        gradients.append([output, *(parameter.grad for parameter in video.parameters())])
    torch.testing.assert_close(*gradients, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize('shape', [(2, 3, 32, 32), (1, 3, 0, 32, 32), (3, 4, 32, 32)])
def test_what_is_no_clip_is_refused(shape):
    with pytest.raises(ValueError, match=r'clips \(B, C, T, H, W\) of one frame or more, got \(' + ', '.join(map(str, shape))):
        VideoCoSwin(SMALL)(torch.zeros(shape))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(tube_size=0), 'tube_size must be 1 or more'),
        (dict(inflation='copy'), "inflation must be one of .'average', 'center'., got 'copy'"),
        (dict(window_size=[(2, 7, 7)] * 3), 'window_size must be one number or .steps, rows, columns. for each of 4 stages'),
        (dict(window_size=[(2, 7)] * 4), 'window_size must be one number or'),
        (dict(window_size=[2, 4, 8, 16]), 'window_size must be one number or'),
        (dict(window_size=0), 'window_size must be one number or'),
        (dict(arch=dict(SMALL, merge_time_kernels=(2, 3, 3))), '1 with an odd kernel, got 1 and 2'),
        (dict(arch=dict(SMALL, merge_time_kernels=(3, 3))), 'merge_time_kernels'),
        (dict(embed='tubes'), 'embed must be one of'),
        (dict(out_indices=(4,)), 'out_indices must rise'),
        (dict(frozen_stages=5), 'frozen_stages must lie in -1 .. 4'),
        (dict(with_cp=(True,)), 'with_cp must be one bool or 4'),
    ],
)
def test_mistakes_get_a_sentence(kwargs, message):
    with pytest.raises(ValueError, match=message):
        VideoCoSwin(**({'arch': SMALL} | kwargs))
