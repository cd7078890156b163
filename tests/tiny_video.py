"""Small clips in files and tiny video models for tests of what reads and classifies videos."""

from pathlib import Path

import numpy as np
from mmengine.config import Config

ARCH = dict(embed_dims=(8, 16, 16, 24), depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), window_size=4)
OPENING = [
    dict(type='florence.OpenVideo'),
    dict(type='florence.SampleClips', clip_len=4, mode='uniform', test_mode=True),
    dict(type='florence.DecodeVideo'),
    dict(type='mmaction.Resize', scale=(-1, 32)),
    dict(type='mmaction.CenterCrop', crop_size=32),
]


def write_moving_square(
    path: Path,
    *,
    length: int = 6,
    color: tuple[int, int, int] = (200, 30, 30),
    width: int = 48,
    options: dict[str, str] | None = None,
) -> Path:
    """A square that moves to the right, 32 px high, MPEG-4; `options` are those of the container."""
    import av

    with av.open(str(path), 'w', options=options or {}) as container:
        stream = container.add_stream('mpeg4', rate=8)
        stream.width, stream.height, stream.pix_fmt = width, 32, 'yuv420p'
        for index in range(length):
            image = np.full((32, width, 3), 20, np.uint8)
            image[8:24, 4 * index : 4 * index + 16] = color
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        container.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """A file with sound and no picture."""
    import av

    with av.open(str(path), 'w') as container:
        stream = container.add_stream('pcm_s16le', rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format='s16', layout='mono')
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def two_tower_config(mode: str, **entries) -> Config:
    """A tiny `VideoTwoTower`."""
    tower = dict(type='VideoCoSwin' if mode == 'tube' else 'CoSwin', arch=ARCH)
    return Config(
        dict(
            default_scope='florence',
            model=dict(
                type='VideoTwoTower',
                mode=mode,
                image_tower=tower,
                text_tower=dict(type='TextTransformer', vocab_size=300, embed_dims=16, num_layers=1, num_heads=2, mlp_dims=32),
                tokenizer=dict(type='TrainedBPE', vocab_size=300, context_length=32),
                embed_dims=12,
            ),
            inference_pipeline=[*OPENING, dict(type='PackVideoText')],
            **entries,
        )
    )


def recognizer_config(num_classes: int = 3, **entries) -> Config:
    """A tiny recogniser of mmaction's with our tower."""
    return Config(
        dict(
            default_scope='mmaction',
            model=dict(
                type='Recognizer3D',
                backbone=dict(type='florence.VideoCoSwin', arch=ARCH),
                cls_head=dict(type='I3DHead', num_classes=num_classes, in_channels=24, average_clips='prob'),
                data_preprocessor=dict(
                    type='ActionDataPreprocessor', mean=[122.8, 116.7, 104.1], std=[68.5, 66.6, 70.3], format_shape='NCTHW'
                ),
            ),
            inference_pipeline=[
                *OPENING,
                dict(type='FormatShape', input_format='NCTHW'),
                dict(type='PackActionInputs', meta_keys=('filename',)),
            ],
            **entries,
        )
    )
