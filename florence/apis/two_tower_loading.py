"""A two-tower model from its config and a checkpoint, ready for inference."""

from pathlib import Path

import torch
from mmengine.config import Config

from florence.apis.model_loading import build_model, load_weights, usable_device
from florence.models.two_tower import TwoTower

FOLDERS = {'TwoTower': 'unicl', 'VideoTwoTower': 'video_coswin'}


def load_two_tower(
    config: str | Config, checkpoint: str | None = None, device: str | torch.device = 'cpu', *, kind: str = 'TwoTower'
) -> TwoTower:
    """Build the model of a config and load its weights, all of them.

    Args:
        config: Config or its path.
        checkpoint: File or URL of the weights; None leaves the random ones.
        device: Where the model goes.
        kind: Type of the model, 'TwoTower' or 'VideoTwoTower'.

    Returns:
        The model in evaluation mode.

    Raises:
        FileNotFoundError: If the config or the checkpoint does not exist.
        ValueError: If the config has no two-tower model, the checkpoint belongs to another model, or there is no
            such device.
    """
    if not isinstance(config, Config):
        if not Path(config).is_file():
            raise FileNotFoundError(f'no config file {config!r}: give the path of a config in configs/{FOLDERS[kind]}/.')
        config = Config.fromfile(config)
    if 'model' not in config or str(config.model.get('type')).rpartition('.')[2] != kind:
        raise ValueError(f'this config has no model of type {kind}: give a config of configs/{FOLDERS[kind]}/.')
    device = usable_device(device)
    model = build_model(config, 'florence')
    if checkpoint is not None:
        load_weights(model, checkpoint)
    return model.to(device).eval()
