"""Sizes of the CoSwin towers, of images and videos alike.

The Florence paper (arXiv 2111.11432) names none. Those of `huge` are the ones that meet its 637 M parameters;
`tiny` to `large` are Swin's (arXiv 2103.14030); `nano` is for 32 to 64 pixel images on a CPU. Drop path rates
of `tiny` to `base` follow UniCL (arXiv 2204.03610).
"""

from typing import Any

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
PER_STAGE_KEYS = ('embed_dims', 'depths', 'num_heads')
OPTIONAL_KEYS = dict(stem_kernel=7, stem_stride=4, drop_path_rate=0.0, merge_time_kernels=(3, 3, 3))


def resolve_arch(arch: str | dict[str, Any]) -> dict[str, Any]:
    """The sizes of an architecture, with the optional ones filled in.

    Raises:
        ValueError: If the name is unknown, a size is missing or unknown, or the stages do not agree in
            number.
    """
    if isinstance(arch, str):
        if arch not in ARCHS:
            raise ValueError(f'CoSwin has no arch {arch!r}: choose one of {", ".join(ARCHS)}, or give a dict of sizes.')
        return OPTIONAL_KEYS | ARCHS[arch]
    required = {*PER_STAGE_KEYS, 'window_size'}
    missing, unknown = required - set(arch), set(arch) - required - set(OPTIONAL_KEYS)
    if missing or unknown:
        raise ValueError(
            f'an arch dict needs {sorted(required)} and may have {sorted(OPTIONAL_KEYS)}: '
            f'missing {sorted(missing)}, unknown {sorted(unknown)}.'
        )
    lengths = {key: len(arch[key]) for key in PER_STAGE_KEYS}
    if len(set(lengths.values())) > 1:
        raise ValueError(f'an arch dict needs one value per stage in each of {PER_STAGE_KEYS}, got {lengths}.')
    sizes = OPTIONAL_KEYS | dict(merge_time_kernels=(3,) * (len(arch['depths']) - 1)) | dict(arch)
    if len(sizes['merge_time_kernels']) != len(sizes['depths']) - 1:
        raise ValueError(f'merge_time_kernels needs one value per stage but the first, got {sizes["merge_time_kernels"]}.')
    return sizes
