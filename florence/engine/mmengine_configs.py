"""Configs that were written for mmengine's runners, read for ours: types by their mmengine names, settings where it has them."""

from mmengine.config import Config, ConfigDict

# mmengine's names, for configs that were written for it.
OWN_STRATEGIES = {
    'SingleDeviceStrategy': 'SingleStrategy',
    'SingleStrategy': 'SingleStrategy',
    'DDPStrategy': 'DDPStrategy',
    'DeepSpeedStrategy': 'DeepSpeedStrategy',
}
OWN_LOOPS = {'IterBasedTrainLoop': 'IterTrainLoop', 'EpochBasedTrainLoop': 'EpochTrainLoop'}
OWN_HOOKS = {'CheckpointHook': 'CheckpointHook'}


def own_type(cfg: dict, names: dict[str, str]) -> dict:
    """A typed config with mmengine's type exchanged for ours, where there is one.

    Args:
        cfg: Left as it is.
        names: mmengine's name -> ours.
    """
    kind = cfg.get('type')
    bare = kind.removeprefix('mmengine.').removeprefix('florence.') if isinstance(kind, str) else None
    return {**cfg, 'type': f'florence.{names[bare]}'} if bare in names else cfg


def strategy_of(cfg: Config) -> ConfigDict:
    """The strategy that a config asks for, with the settings that mmengine's classic runner reads elsewhere.

    Raises:
        ValueError: If strategy and launcher do not fit together.
    """
    launched = cfg.get('launcher', 'none') not in (None, 'none')
    strategy = ConfigDict(
        own_type(dict(cfg.get('strategy') or {'type': 'DDPStrategy' if launched else 'SingleStrategy'}), OWN_STRATEGIES)
    )
    kind = str(strategy.get('type'))
    if launched and kind == 'florence.SingleStrategy':
        raise ValueError(
            f'strategy SingleStrategy runs one process, but the launcher {cfg.launcher!r} started several: use DDPStrategy.'
        )
    if not launched and kind == 'florence.DDPStrategy':
        raise ValueError(
            'strategy DDPStrategy needs several processes: start with tools/dist_train.sh, or leave the strategy out.'
        )
    if cfg.get('activation_checkpointing'):
        strategy.setdefault('activation_checkpointing', cfg.activation_checkpointing)
    if kind == 'florence.DDPStrategy':
        wrapper = dict(cfg.get('model_wrapper_cfg') or {})
        if cfg.get('find_unused_parameters'):
            wrapper.setdefault('find_unused_parameters', True)
        if wrapper:
            strategy.setdefault('model_wrapper', wrapper)
        if cfg.get('sync_bn'):
            strategy.setdefault('sync_bn', cfg.sync_bn)
    return strategy
