"""Sizes of the CoSwin towers, of images and videos alike.

The Florence paper (arXiv 2111.11432) names none. Those of `huge` are the ones that meet its 637 M parameters;
`tiny` to `large` are Swin's (arXiv 2103.14030); `nano` is for 32 to 64 pixel images on a CPU. Drop path rates
of `tiny` to `base` follow UniCL (arXiv 2204.03610).
"""

from typing import Any

from florence.models.backbones.arch_sizes import resolve_sizes

ARCHS: dict[str, dict[str, Any]] = {
    'nano': dict(embed_dims=(32, 96, 192, 256), depths=(1, 2, 2, 1), num_heads=(1, 3, 6, 8), window_size=8),
    'tiny': dict(
        embed_dims=(96, 192, 384, 768),
        depths=(2, 2, 6, 2),
        num_heads=(3, 6, 12, 24),
        window_size=7,
        drop_path_rate=0.2,
    ),
    'small': dict(
        embed_dims=(96, 192, 384, 768),
        depths=(2, 2, 18, 2),
        num_heads=(3, 6, 12, 24),
        window_size=7,
        drop_path_rate=0.3,
    ),
    'base': dict(
        embed_dims=(128, 256, 512, 1024),
        depths=(2, 2, 18, 2),
        num_heads=(4, 8, 16, 32),
        window_size=7,
        drop_path_rate=0.5,
    ),
    'large': dict(
        embed_dims=(192, 384, 768, 1536),
        depths=(2, 2, 18, 2),
        num_heads=(6, 12, 24, 48),
        window_size=7,
        drop_path_rate=0.5,
    ),
    'huge': dict(
        embed_dims=(256, 512, 1024, 2048),
        depths=(2, 2, 40, 2),
        num_heads=(8, 16, 32, 64),
        window_size=7,
        drop_path_rate=0.5,
        # The paper's 647 M leave room for one kernel over time.
        merge_time_kernels=(3, 1, 1),
    ),
}
OPTIONAL_KEYS = dict(stem_kernel=7, stem_stride=4, drop_path_rate=0.0, merge_time_kernels=None)
EMBEDS = ('conv', 'patch')


def resolve_arch(arch: str | dict[str, Any]) -> dict[str, Any]:
    """The sizes of an architecture, with the optional ones filled in.

    Raises:
        ValueError: If the name is unknown, a size is missing or unknown, or the stages do not agree in
            number.
    """
    sizes = resolve_sizes('CoSwin', arch, ARCHS, OPTIONAL_KEYS)
    if sizes['merge_time_kernels'] is None:
        sizes['merge_time_kernels'] = (3,) * (len(sizes['depths']) - 1)
    if len(sizes['merge_time_kernels']) != len(sizes['depths']) - 1:
        raise ValueError(f'merge_time_kernels needs one value per stage but the first, got {sizes["merge_time_kernels"]}.')
    return sizes


def check_embed(embed: str) -> None:
    """Refuse what is no kind of embedding.

    Raises:
        ValueError: If `embed` is none of `EMBEDS`.
    """
    if embed not in EMBEDS:
        raise ValueError(f'embed must be one of {EMBEDS}, got {embed!r}.')
