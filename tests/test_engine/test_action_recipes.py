"""The recipes of action recognition on digit clips: they start from an image tower, take steps and are evaluated."""

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

from florence.engine.config_files import load_config
from florence.engine.launch import build_runner
from florence.models.backbones import CoSwin

CONFIGS = 'configs/video_coswin'
RECIPE = f'{CONFIGS}/video-coswin-nano_digits.py'
ONE_FRAME = f'{CONFIGS}/video-coswin-nano_one-frame_digits.py'


class Losses(Hook):
    def __init__(self):
        self.values = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.values.append(float(outputs['loss'].detach()))


@pytest.fixture(scope='module')
def image_tower(tmp_path_factory):
    """Checkpoint of an image-text model, as far as the image tower goes."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('unicl') / 'iter_1.pth'
    weights = CoSwin('nano').state_dict()
    torch.save({'state_dict': {f'image_tower.{name}': value for name, value in weights.items()}}, path)
    return path, weights


def short(config, repo_root, work_dir, checkpoint, **options):
    cfg = load_config(
        str(repo_root / config),
        {
            'train_cfg.max_iters': 2,
            'train_cfg.val_interval': 2,
            'train_dataloader.batch_size': 4,
            'val_dataloader.batch_size': 4,
            'val_dataloader.dataset.num_clips': 8,
            'model.backbone.init_cfg.checkpoint': str(checkpoint),
            **options,
        },
    )
    cfg.work_dir = str(work_dir)
    return cfg


def test_two_steps_from_an_image_tower(image_tower, repo_root, tmp_path):
    path, weights = image_tower
    runner = build_runner(short(RECIPE, repo_root, tmp_path, path))
    losses = Losses()
    runner.register_hook(losses)
    runner.train()
    losses = losses.values
    assert len(losses) == 2 and np.isfinite(losses).all()
    assert losses[0] == pytest.approx(np.log(10), abs=0.4)  # a new head knows nothing
    assert 0 <= runner.message_hub.get_scalar('val/acc/top1').current() <= 1
    # Two warm-up steps move the weights by little: those of the image tower are still in there, spread over time.
    saved = torch.load(tmp_path / 'iter_2.pth', weights_only=False)['state_dict']
    stem = 'stages.0.embed.proj.weight'
    assert torch.allclose(saved[f'backbone.{stem}'].sum(2), weights[stem], atol=1e-3)
    assert not torch.equal(saved[f'backbone.{stem}'].sum(2), weights[stem])
    assert saved['cls_head.fc_cls.weight'].shape == (10, 256)


def test_the_one_frame_recipe_differs_in_the_frames_and_ends_sooner(image_tower, repo_root, tmp_path):
    with_motion, without = (load_config(str(repo_root / config)).to_dict() for config in (RECIPE, ONE_FRAME))
    for part in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        steps = without[part]['dataset'].pop('pipeline')
        assert steps[0]['type'] == 'florence.RepeatFrame' and steps[1:] == with_motion[part]['dataset'].pop('pipeline')
    for helper in ('train_pipeline', 'test_pipeline'):
        del without[helper]
    for schedule in ('max_iters', 'train_cfg', 'param_scheduler'):
        del without[schedule], with_motion[schedule]
    assert without == with_motion

    runner = build_runner(short(ONE_FRAME, repo_root, tmp_path, image_tower[0]))
    for loader in (runner.build_dataloader(runner.cfg.train_dataloader), runner.build_dataloader(runner.cfg.val_dataloader)):
        clips = torch.stack(next(iter(loader))['inputs'])  # (B, 1, 3, T, H, W)
        assert clips.shape == (4, 1, 3, 8, 32, 32)
        assert (clips == clips[:, :, :, :1]).all() and clips.float().std() > 10


def test_mixing_and_smoothing_of_the_kinetics_recipe_take_a_step(repo_root):
    """The head, the loss and the mixing of the recipe, at a size that a test can afford."""
    from mmengine.registry import MODELS, DefaultScope

    cfg = load_config(str(repo_root / CONFIGS / 'video-coswin-h_30e-384_k400.py'))
    assert cfg.train_dataloader.batch_size > 1, 'a clip cannot be mixed with itself'
    cfg.model.backbone.update(arch='nano', window_size=4, with_cp=False, init_cfg=None)
    cfg.model.cls_head.in_channels = 256
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg.model)
        model.init_weights()
        from mmaction.structures import ActionDataSample

        clips = [torch.randint(0, 256, (1, 3, 4, 32, 32), dtype=torch.uint8) for _ in range(4)]
        samples = [ActionDataSample().set_gt_label(label) for label in (3, 8, 100, 399)]
        data = model.data_preprocessor({'inputs': clips, 'data_samples': samples}, training=True)
    mixed = torch.stack([sample.gt_label for sample in data['data_samples']])
    assert mixed.shape == (4, 400) and torch.allclose(mixed.sum(1), torch.ones(4))
    loss = model(**data, mode='loss')['loss_cls']
    assert loss.item() == pytest.approx(np.log(400), abs=0.5)
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize(
    ('name', 'folder', 'per_class'), [('fight', 'video_fight', [11, 11]), ('drone-ir', 'video_drone_ir', [6] * 4)]
)
def test_halves_of_the_real_sets_are_balanced_and_disjoint(name, folder, per_class, repo_root, test_data):
    from mmengine.registry import DATASETS, DefaultScope

    cfg = load_config(str(repo_root / CONFIGS / f'video-coswin-nano_{name}.py'))
    ids = set()
    with DefaultScope.overwrite_default_scope('mmaction'):
        for loader in (cfg.train_dataloader, cfg.val_dataloader):
            loader.dataset.data_root = str(test_data / folder)
            half = DATASETS.build(loader.dataset)
            infos = [half.get_data_info(index) for index in range(len(half))]
            assert np.bincount([info['label'] for info in infos]).tolist() == per_class
            ids |= {info['sample_id'] for info in infos}
            views, size = (1 if loader is cfg.train_dataloader else 4), cfg.image_size
            assert half[3]['inputs'].shape == (views, 3, 8, size, size)
        assert len(ids) == 2 * sum(per_class)
    assert cfg.model.cls_head.num_classes == len(per_class)


@pytest.mark.parametrize(
    ('zero_shot', 'recipe'),
    [('h-384_k600', 'h_30e-384_k600'), ('h-384_ucf101', 't_30e-224_ucf101')],
)
def test_zero_shot_reads_the_files_of_the_recipe(zero_shot, recipe, repo_root):
    names, numbers = (
        load_config(str(repo_root / CONFIGS / f'{name}.py')).test_dataloader.dataset.to_dict()
        for name in (f'zero-shot-actions_video-coswin-{zero_shot}', f'video-coswin-{recipe}')
    )
    for own in ('type', 'pipeline', 'classes', 'num_classes'):
        names.pop(own, None), numbers.pop(own, None)
    assert names == numbers


@pytest.mark.parametrize('name', ['fight', 'drone-ir'])
def test_random_weights_are_the_only_difference(name, repo_root):
    pretrained, random = (
        load_config(str(repo_root / CONFIGS / f'video-coswin-nano_{kind}{name}.py')).to_dict() for kind in ('', 'random_')
    )
    assert pretrained['model']['backbone'].pop('init_cfg')['type'] == 'Pretrained'
    assert random['model']['backbone'].pop('init_cfg') is None
    assert pretrained == random
