"""The `config.json` beside a checkpoint of Florence-2 -> arguments of `Florence2`.

Read here key by key, because classes that read it change with the library's versions (mlx-vlm#2123). Microsoft's names and those
of `transformers` are understood. What neither our model nor the release has is refused; dropout is a matter of training and left
to its config.
"""

from collections.abc import Mapping
from typing import Any


def florence2_settings(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Arguments `vision_tower`, `language_model` and `projector` of `Florence2`.

    Args:
        config: Content of `config.json`.

    Raises:
        ValueError: If a size is missing, or a setting has a value that no Florence-2 has.
    """
    vision, text = _section(config, 'vision_config'), _section(config, 'text_config')
    return dict(
        vision_tower=dict(type='florence.DaViT', arch=_tower(vision)),
        language_model=dict(arch=_language_model(text), max_positions=_value(text, 'max_position_embeddings')),
        projector=_projector(vision),
    )


def _tower(vision: Mapping[str, Any]) -> dict[str, Any]:
    dims, heads = _value(vision, 'embed_dim', 'dim_embed'), _value(vision, 'num_heads')
    kernels, strides = _value(vision, 'patch_size'), _value(vision, 'patch_stride')
    _require(vision, 'num_groups', heads)
    _require(vision, 'patch_size', [kernels[0]] + [kernels[1]] * (len(dims) - 1))
    _require(vision, 'patch_stride', [strides[0]] + [2] * (len(dims) - 1))
    _require(vision, 'patch_padding', [kernel // 2 for kernel in kernels])
    _require(vision, 'patch_prenorm', [False] + [True] * (len(dims) - 1))
    _require(vision, 'mlp_ratio', 4.0)
    _require(vision, 'qkv_bias', True)
    sizes = dict(embed_dims=tuple(dims), depths=tuple(_value(vision, 'depths')), num_heads=tuple(heads))
    return dict(**sizes, window_size=_value(vision, 'window_size'), stem_kernel=kernels[0], stem_stride=strides[0],
                down_kernel=kernels[1])  # fmt: skip


def _projector(vision: Mapping[str, Any]) -> dict[str, int]:
    _require(vision, 'image_feature_source', ['spatial_avg_pool', 'temporal_avg_pool'])
    places, times = vision.get('image_pos_embed', vision), vision.get('visual_temporal_embedding', vision)
    return dict(
        max_map_size=_value(places, 'max_position_embeddings', 'max_pos_embeddings'),
        max_frames=_value(times, 'max_temporal_embeddings'),
    )


def _language_model(text: Mapping[str, Any]) -> dict[str, int]:
    _require(text, 'activation_function', 'gelu')
    _require(text, 'scale_embedding', False)
    names = dict(num_layers='layers', num_heads='attention_heads', mlp_dims='ffn_dim')
    sizes = {ours: _value(text, f'encoder_{theirs}') for ours, theirs in names.items()}
    for ours, theirs in names.items():
        _require(text, f'decoder_{theirs}', sizes[ours])
    return dict(embed_dims=_value(text, 'd_model'), **sizes)


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    if not isinstance(section, Mapping):
        raise ValueError(f'the configuration has no {name}: it is none of a Florence-2.')
    return section


def _value(section: Mapping[str, Any], *names: str) -> Any:
    found = [section[name] for name in names if name in section]
    if not found:
        raise ValueError(f'the configuration has no {" or ".join(names)}: give the config.json of the checkpoint.')
    return found[0]


def _require(section: Mapping[str, Any], name: str, value: Any) -> None:
    """What may be absent, but must not be another."""
    found = section.get(name, value)
    if found != value:
        raise ValueError(f'the configuration has {name}={found!r}, Florence2 knows {value!r} only.')
