"""The command-line tools as a user calls them, on tiny runs."""

import json
import os
import subprocess
import sys

import pytest
from conftest import REPO_ROOT
from PIL import Image

NANO = 'configs/unicl/unicl_coswin-nano_10min_digits.py'
DATASETS = ('digits', 'colors', 'unseen_pairs', 'retrieval')
TINY_RUN = [
    'train_cfg.max_iters=4',
    'train_cfg.val_interval=4',
    'train_dataloader.batch_size=8',
    'default_hooks.logger.interval=1',
    'default_hooks.checkpoint.interval=2',
    *(f'{stage}_dataloader.{name}.dataset.num_scenes=12' for stage in ('val', 'test') for name in DATASETS),
]  # fmt: skip


def tool(*arguments, check=True, timeout=300):
    env = {**os.environ, 'PYTHONPATH': str(REPO_ROOT), 'OMP_NUM_THREADS': '1', 'PYTHON': sys.executable}
    command = ['bash', *arguments] if arguments[0].endswith('.sh') else [sys.executable, *arguments]
    run = subprocess.run([str(item) for item in command], cwd=REPO_ROOT, env=env, capture_output=True, text=True, timeout=timeout)
    if check:
        assert run.returncode == 0, run.stderr[-3000:]
    return run


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Work dir of a four-iteration training."""
    work_dir = tmp_path_factory.mktemp('run')
    tool('tools/train.py', NANO, '--work-dir', work_dir, '--cfg-options', *TINY_RUN)
    return work_dir


def test_train_writes_logs_and_checkpoints(trained):
    assert (trained / 'last_checkpoint').read_text().endswith('iter_4.pth')
    assert (trained / 'iter_2.pth').is_file()
    records = [json.loads(line) for line in next(trained.glob('*/vis_data/scalars.json')).read_text().splitlines()]
    assert [record['step'] for record in records if 'loss_unicl' in record] == [1, 2, 3, 4]
    assert any('digits/top1' in record for record in records)


def test_resume_continues_where_the_run_stopped(trained, tmp_path):
    run = tool(
        'tools/train.py', NANO, '--work-dir', tmp_path, '--resume', trained / 'iter_2.pth', '--cfg-options', *TINY_RUN
    )  # fmt: skip
    output = run.stdout + run.stderr
    assert 'Iter(train) [3/4]' in output and 'Iter(train) [1/4]' not in output and 'Iter(train) [2/4]' not in output


def test_a_sharded_run_in_mixed_precision_is_trained_and_tested_in_one_process(tmp_path):
    import torch

    tiny = 'tests/configs/tiny_two_tower_tested.py'
    sharded = ['--cfg-options', 'strategy.type=DeepSpeedStrategy', 'strategy.stage=2']
    # There is nothing to resume yet.
    tool('tools/train.py', tiny, '--work-dir', tmp_path, '--amp', 'float16', '--resume', *sharded)
    assert (tmp_path / 'iter_2.pth').is_file() and any((tmp_path / 'iter_2.shards').glob('*optim_states.pt'))
    saved = torch.load(tmp_path / 'iter_2.pth', weights_only=False)
    assert saved['meta']['strategy'] == 'DeepSpeedStrategy' and saved['optim_wrapper']['loss_scale']['scale'] <= 2**16
    assert "dtype='float16'" in saved['meta']['cfg'] and "type='florence.AmpOptimWrapper'" in saved['meta']['cfg']
    tool('tools/test.py', tiny, tmp_path / 'iter_2.pth', '--work-dir', tmp_path / 'work', '--out', tmp_path / 'figures.json')
    figures = json.loads((tmp_path / 'figures.json').read_text())
    assert 0 <= figures['top1'] <= 100


def test_test_writes_the_figures_as_json_and_two_ranks_agree(trained, tmp_path):
    options = ['--work-dir', tmp_path / 'work', '--cfg-options', *TINY_RUN]
    tool('tools/test.py', NANO, trained / 'iter_4.pth', '--out', tmp_path / 'one.json', *options)
    one = json.loads((tmp_path / 'one.json').read_text())
    assert {'digits/top1', 'unseen_pairs/top1', 'retrieval/t2i_R@1', 'retrieval/i2t_R@1'} <= set(one)
    os.environ['PORT'] = '29533'
    tool('tools/dist_test.sh', NANO, trained / 'iter_4.pth', 2, '--out', tmp_path / 'two.json', *options)
    two = json.loads((tmp_path / 'two.json').read_text())
    timing = {'data_time', 'time'}
    assert {k: v for k, v in two.items() if k not in timing} == {k: v for k, v in one.items() if k not in timing}


def test_pictures_of_a_run(trained, tmp_path):
    tool('tools/analysis_tools/plot_loss_curve.py', trained, tmp_path / 'curve.png')
    tool(
        'tools/analysis_tools/retrieval_gallery.py', NANO, trained / 'iter_4.pth', tmp_path / 'gallery.png',
        '--num-queries', 2, '--cfg-options', *TINY_RUN,
    )  # fmt: skip
    for name in ('curve.png', 'gallery.png'):
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) > 200


def test_infer_classifies_and_retrieves(trained, tmp_path):
    for name, color in (('red', (250, 60, 60)), ('blue', (60, 60, 250))):
        Image.new('RGB', (40, 50), color).save(tmp_path / f'{name}.png')
    common = ['--model', 'unicl_coswin-nano_10min_digits', '--checkpoint', trained / 'iter_4.pth', '--out', tmp_path / 'out']
    run = tool('tools/infer.py', 'zero-shot-classification', tmp_path / 'red.png', *common, '--text', 'red seven, blue two')
    results = json.loads(run.stdout[run.stdout.index('[\n') :])
    assert set(results[0]['probabilities']) == {'red seven', 'blue two'}
    assert sum(results[0]['probabilities'].values()) == pytest.approx(1)
    assert (tmp_path / 'out/classification.png').is_file() and (tmp_path / 'out/results.json').is_file()
    run = tool('tools/infer.py', 'retrieve', tmp_path, *common, '--text', 'a red seven; a blue two')
    results = json.loads(run.stdout[run.stdout.index('[\n') :])
    assert [len(found['images']) for found in results][:2] and results[1]['text'] == 'a blue two'
    assert (tmp_path / 'out/retrieval.png').is_file()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['tools/train.py', NANO, '--cfg-options', 'modle.embed_dims=3'], "Did you mean 'model'?"),
        (['tools/train.py', NANO, '--cfg-options', 'train_dataloader.batchsize.x=3'], "Did you mean 'batch_size'?"),
        (['tools/train.py', 'configs/none.py'], 'no config file'),
        (['tools/train.py', NANO.replace('digits', 'digit')], f'mmdet::NAME.py. Did you mean {NANO!r}?'),
        (['tools/train.py', NANO, '--load-from', 'none.pth'], 'no checkpoint'),
        (['tools/test.py', NANO, 'none.pth'], 'no checkpoint'),
        (['tools/infer.py', 'retrieve', 'x.png', '--model', 'none', '--text', 'a'], 'no file'),
    ],
)
def test_mistakes_get_one_sentence(arguments, message):
    run = tool(*arguments, check=False)
    assert run.returncode == 1
    assert message in run.stderr.strip().splitlines()[-1] and 'Traceback' not in run.stderr


def test_a_wrong_checkpoint_is_named(tmp_path):
    import torch

    torch.save({'state_dict': {'backbone.weight': torch.zeros(2)}}, tmp_path / 'other.pth')
    run = tool(
        'tools/infer.py', 'retrieve', 'x.png', '--model', NANO, '--checkpoint', tmp_path / 'other.pth', '--text', 'a', check=False
    )
    assert run.returncode == 1 and 'does not fit this model' in run.stderr and 'Traceback' not in run.stderr


def test_print_config_says_where_each_type_is():
    lines = tool('tools/misc/print_config.py', NANO, '--where').stdout.splitlines()
    found = [line for line in lines if line.startswith('model.image_tower ')]
    assert found and found[0].split()[1] == 'CoSwin'
    path, line_number = found[0].split()[2].rsplit(':', 1)
    assert path.endswith('florence/models/backbones/coswin.py') and int(line_number) > 1


@pytest.mark.parametrize(
    ('size', 'image', 'text', 'total'),
    [
        ('t', 29.46, None, None),
        ('s', 50.78, None, None),
        ('b', 90.19, None, None),
        ('l', 202.75, None, None),
        ('h', 637, 256, 893),
    ],
)
def test_flops_tool_gives_the_paper_s_sizes(size, image, text, total, tmp_path):
    tool(
        'tools/analysis_tools/get_flops.py',
        f'configs/unicl/unicl_coswin-{size}_stage1-1m_fld900m.py',
        '--json',
        tmp_path / 'x.json',
    )
    parts = json.loads((tmp_path / 'x.json').read_text())
    got = {name: part['params'] / 1e6 for name, part in parts.items()}
    assert got['image tower'] == pytest.approx(image, rel=0.001)
    if text is not None:
        assert got['text tower'] == pytest.approx(text, rel=0.005)
        assert got['total'] == pytest.approx(total, rel=0.005)
    assert parts['image tower']['flops'] > 4e9


def test_an_mmdet_config_trains_unchanged(tmp_path, test_data):
    root = test_data / 'coco_mini'
    run = tool(
        'tools/train.py', 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py', '--work-dir', tmp_path, '--cfg-options',
        f'train_dataloader.dataset.data_root={root}/', 'train_dataloader.dataset.indices=4',
        'train_dataloader.dataset.pipeline.2.scale=(160,128)', 'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False', 'train_dataloader.batch_size=2',
        f'val_dataloader.dataset.data_root={root}/', 'val_dataloader.dataset.indices=2',
        'val_dataloader.dataset.pipeline.1.scale=(160,128)', 'val_dataloader.num_workers=0',
        'val_dataloader.persistent_workers=False', f'val_evaluator.ann_file={root}/annotations/instances_val2017.json',
        'train_cfg.max_epochs=1', 'model.test_cfg.score_thr=0.0',
        'model.backbone.init_cfg=None', 'default_hooks.logger.interval=1',
    )  # fmt: skip
    assert 'Epoch(train) [1][2/2]' in run.stdout + run.stderr
    assert 'coco/bbox_mAP' in run.stdout + run.stderr and (tmp_path / 'epoch_1.pth').is_file()
