"""Reading of config files for the command-line tools, with the checks that mmengine leaves out.

mmengine adds an unknown `--cfg-options` key silently and looks types up only when it builds them. Here an unknown key is an error
with a suggestion, and the typed dicts of a config can be listed with the scope each will be looked up in.
"""

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry, root

from florence.user_errors import did_you_mean


def load_config(path: str, cfg_options: Mapping[str, Any] | None = None) -> Config:
    """Read a config and apply command-line overrides.

    Args:
        path: A file, or `mmdet::NAME.py` / `mmaction::NAME.py` for one that an installed package ships.
        cfg_options: Overrides, dotted key -> value.

    Raises:
        FileNotFoundError: If there is no such config.
        KeyError: If an override names a key that the config does not have.
    """
    if '::' in path:
        cfg = _packaged_config(path)
    elif not Path(path).is_file():
        hint = did_you_mean(path, map(str, Path(path).parent.glob('*.py')))
        raise FileNotFoundError(
            f'no config file {path!r}: expected a path such as configs/unicl/NAME.py or mmdet::NAME.py.{hint}'
        )
    else:
        cfg = Config.fromfile(path)
    if cfg_options:
        check_overrides(cfg, cfg_options)
        cfg.merge_from_dict(dict(cfg_options))
    return cfg


def _packaged_config(path: str) -> Config:
    from mmengine.hub import get_config

    package, name = path.split('::', 1)
    cfg = get_config(path if name.endswith('.py') else f'{path}.py')
    # `mmdet::x` read as a base adds the scope; read as the main file it comes from default_runtime or not at all.
    cfg.setdefault('default_scope', package)
    return cfg


# Entries that the runner understands and that a config need not have.
OPTIONAL_ENTRIES = (
    'activation_checkpointing', 'auto_scale_lr', 'compile', 'custom_hooks', 'strategy', 'train_cfg.gradient_cache',
)  # fmt: skip


def check_overrides(cfg: Config, options: Mapping[str, Any]) -> None:
    """Check that every override meets something in the config.

    A new last part is allowed where it can be a constructor argument, i.e. in a dict with a `type`.

    Args:
        cfg: The config before the overrides.
        options: Dotted key -> value; a list element is named by its index.

    Raises:
        KeyError: For a key that the config does not have, with the closest ones that it has.
    """
    for key in options:
        node: Any = dict(cfg.items())
        parts = key.split('.')
        for depth, part in enumerate(parts):
            where = '.'.join(parts[:depth]) or 'the config'
            if depth == 0 and part in node and _is_variable(part, node[part]):
                raise KeyError(_used_before(part, cfg))
            if isinstance(node, list | tuple):
                if not part.isdigit() or int(part) >= len(node):
                    raise KeyError(f'--cfg-options {key}: {where} is a list of {len(node)}, {part!r} is no index of it.')
                node = node[int(part)]
            elif isinstance(node, Mapping) and part in node:
                node = node[part]
            elif '.'.join(parts[: depth + 1]) in OPTIONAL_ENTRIES:
                break
            elif isinstance(node, Mapping):
                kind = options.get(f'{where}.type', node.get('type'))
                arguments = () if kind is None else _arguments(kind, node.get('_scope_', cfg.get('default_scope')))
                if depth == len(parts) - 1 and depth > 0 and (arguments is None or part in arguments):
                    break
                hint = did_you_mean(part, [*node, *(arguments or ())]) or f' It has: {", ".join(map(str, node))}.'
                raise KeyError(f"--cfg-options {key}: no '{part}' in {where}.{hint}")
            else:
                raise KeyError(f'--cfg-options {key}: {where} is {node!r}, it has no parts.')


def _is_variable(name: str, value: Any) -> bool:
    """Whether a top-level entry is a variable of the file: a plain value that no runner reads."""
    from mmengine.runner import FlexibleRunner, Runner

    read = {
        *inspect.signature(Runner).parameters,
        *inspect.signature(FlexibleRunner).parameters,
        *OPTIONAL_ENTRIES,
        'runner_type',
    }
    return name not in read and not isinstance(value, Mapping | list | tuple)


def _used_before(variable: str, cfg: Config) -> str:
    """Why an override of a variable would do nothing, and what to override instead."""
    value = cfg[variable]
    found = _plain_values(cfg.to_dict())
    places = [path for path, other in found if '.' in path and type(other) is type(value) and other == value]
    hint = f': override {", ".join(places[:6])}' if places else ''
    return f'--cfg-options {variable}: it is a variable of the config file, which has used it already{hint}.'


def _plain_values(node: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping | list | tuple):
        for key, value in node.items() if isinstance(node, Mapping) else enumerate(node):
            yield from _plain_values(value, f'{path}.{key}' if path else str(key))
    else:
        yield path, node


def _arguments(kind: Any, scope: str | None) -> set[str] | None:
    """Arguments that a type takes; None = any, or nobody knows."""
    try:
        target = resolve_type(kind, scope)
    except (KeyError, ImportError):
        return None
    names: set[str] = {'_scope_'}
    for owner in inspect.getmro(target) if inspect.isclass(target) else (target,):
        function = vars(owner).get('__init__') if inspect.isclass(owner) else owner
        if function is None:
            continue
        try:
            parameters = inspect.signature(function).parameters.values()
        except ValueError:  # a builtin
            return None
        names |= {parameter.name for parameter in parameters}
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return names
    return None


def iter_types(node: Any, path: str = '', scope: str | None = None) -> Iterator[tuple[str, Any, str | None]]:
    """Every typed dict of a config: its dotted path, the type, and the scope the type is looked up in.

    Args:
        node: A config or a part of one.
        path: Dotted path of `node`.
        scope: Scope in force at `node`; a `_scope_` entry changes it for its dict and what is below.
    """
    if isinstance(node, Config):
        node = dict(node.items())
    if isinstance(node, Mapping):
        scope = node.get('_scope_', scope)
        if 'type' in node:
            yield path, node['type'], scope
        for key, value in node.items():
            yield from iter_types(value, f'{path}.{key}' if path else str(key), scope)
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from iter_types(value, f'{path}.{index}' if path else str(index), scope)


def _registries() -> list[Registry]:
    import florence.registry

    roots = [value for value in vars(root).values() if isinstance(value, Registry)]
    return roots + [florence.registry.TOKENIZERS]


def resolve_type(type_name: Any, scope: str | None) -> Any:
    """The class or function that a `type` entry stands for.

    Args:
        type_name: Entry of a config: a string, with or without scope prefix, or the class itself.
        scope: Scope of a string without prefix.

    Raises:
        KeyError: If no registry has it.
    """
    if not isinstance(type_name, str):
        return type_name
    key = type_name if '.' in type_name or scope is None else f'{scope}.{type_name}'
    for registry in _registries():
        try:
            found = registry.get(key)
        except RuntimeError:  # mmengine's answer to a name that is also no importable object
            continue
        if found is not None:
            return found
    # mmdet's entries `nms` and `roi_layer` name functions and layers of mmcv.ops, which are in no registry.
    import mmcv.ops

    if hasattr(mmcv.ops, type_name):
        return getattr(mmcv.ops, type_name)
    raise KeyError(f'{type_name!r} (scope {scope!r}) is in no registry: check its spelling and its scope prefix.')


def source_location(target: Any) -> str:
    """`file:line` of a class or function; the module's name where there is no source."""
    try:
        return f'{inspect.getsourcefile(target)}:{inspect.getsourcelines(target)[1]}'
    except (OSError, TypeError):
        return str(getattr(target, '__module__', target))
