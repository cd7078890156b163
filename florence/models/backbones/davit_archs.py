"""Sizes of the DaViT towers.

`florence2-base` and `florence2-large` are the image encoders of Florence-2 (arXiv 2311.06242, table 12). `tiny`, `small` and
`base` are those trained on ImageNet (arXiv 2204.03645, table 1): windows, down-sampling and channel attention differ.
`nano` has the form of Florence-2, for images of 64 to 128 pixels on a CPU.
"""

from typing import Any

from florence.models.backbones.arch_sizes import resolve_sizes

IMAGENET = dict(window_size=7, down_kernel=2, channel_attention='heads')
ARCHS: dict[str, dict[str, Any]] = {
    'nano': dict(
        embed_dims=(32, 64, 128, 256),
        depths=(1, 1, 2, 1),
        num_heads=(1, 2, 4, 8),
        window_size=8,
        stem_stride=2,
        drop_path_rate=0.0,
    ),
    'tiny': dict(embed_dims=(96, 192, 384, 768), depths=(1, 1, 3, 1), num_heads=(3, 6, 12, 24), **IMAGENET),
    'small': dict(embed_dims=(96, 192, 384, 768), depths=(1, 1, 9, 1), num_heads=(3, 6, 12, 24), **IMAGENET),
    'base': dict(embed_dims=(128, 256, 512, 1024), depths=(1, 1, 9, 1), num_heads=(4, 8, 16, 32), **IMAGENET),
    'florence2-base': dict(embed_dims=(128, 256, 512, 1024), depths=(1, 1, 9, 1), num_heads=(4, 8, 16, 32), window_size=12),
    'florence2-large': dict(embed_dims=(256, 512, 1024, 2048), depths=(1, 1, 9, 1), num_heads=(8, 16, 32, 64), window_size=12),
}
OPTIONAL_KEYS = dict(stem_kernel=7, stem_stride=4, down_kernel=3, channel_attention='tokens', drop_path_rate=0.1)


def resolve_arch(arch: str | dict[str, Any]) -> dict[str, Any]:
    """The sizes of an architecture, with the optional ones filled in.

    Raises:
        ValueError: If the name is unknown, a size is missing or unknown, or the stages do not agree in number.
    """
    return resolve_sizes('DaViT', arch, ARCHS, OPTIONAL_KEYS)
