"""A module that wraps another one without a further level in the names of its state dict: checkpoints fit with and without it."""

from functools import partial

from torch import nn


def hide_level(wrapper: nn.Module, child: str) -> None:
    """Let the weights of a child bear the names that they have without the wrapper, in `state_dict` and when they are loaded.

    Args:
        wrapper: Its own weights and those of its other children keep their names.
        child: Name of the child.
    """
    wrapper.register_state_dict_post_hook(partial(_hide, child=f'{child}.'))
    wrapper.register_load_state_dict_pre_hook(partial(_restore, child=f'{child}.'))


def _hide(module: nn.Module, state_dict: dict, prefix: str, local_metadata: dict, *, child: str) -> None:
    for name in [name for name in state_dict if name.startswith(prefix + child)]:
        state_dict[prefix + name.removeprefix(prefix + child)] = state_dict.pop(name)


def _restore(module: nn.Module, state_dict: dict, prefix: str, *_: object, child: str) -> None:
    children = tuple(f'{prefix}{name}.' for name, _ in module.named_children())
    for name in [name for name in state_dict if name.startswith(prefix) and not name.startswith(children)]:
        state_dict[prefix + child + name.removeprefix(prefix)] = state_dict.pop(name)
