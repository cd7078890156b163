"""Evaluation on several data sets inside a real mmengine runner with a toy model."""

import json

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from florence.registry import DATASETS, METRICS, MODELS
from florence.structures import ImageTextSample

CLASSES = 3
ACCURACY = {'type': 'florence.ZeroShotAccuracy', 'topk': (1, 2)}


@DATASETS.register_module()
class ToyPoints(Dataset):
    """Point i is the one-hot vector of class `i % 3`; `shift` makes the labels wrong by that many classes."""

    def __init__(self, size, shift=0, name=None):
        self.size, self.shift = size, shift
        if name is not None:
            self.metainfo = {'name': name}

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        sample = ImageTextSample(metainfo={'sample_id': str(index)})
        sample.gt_label = (index + self.shift) % CLASSES
        return {'inputs': torch.eye(CLASSES)[index % CLASSES], 'data_samples': sample}


@MODELS.register_module()
class ToyClassifier(BaseModel):
    """Scores are `gain * input`; training lets `gain` fall by the learning rate per step."""

    def __init__(self, gives_loss=False):
        super().__init__()
        self.gives_loss = gives_loss
        self.gain = torch.nn.Parameter(torch.tensor(2.0))
        self.dtypes = set()

    def forward(self, inputs, data_samples, mode):
        inputs = torch.stack(inputs)
        if mode == 'loss':
            return {'loss_gain': self.gain * 1.0}
        self.dtypes.add(torch.matmul(inputs, torch.eye(CLASSES)).dtype)
        for sample, scores in zip(data_samples, self.gain * inputs, strict=True):
            sample.pred_scores = scores.detach()
        if self.gives_loss:  # mmengine takes a last element with nothing but a loss for the loss of the batch
            data_samples = [*data_samples, BaseDataElement(loss={'loss_gain': self.gain.detach()})]
        return data_samples


@METRICS.register_module()
class NameOfSet(BaseMetric):
    """Reports the length of the name in the meta information of the data set."""

    default_prefix = 'name'

    def process(self, data_batch, data_samples):
        self.results.extend(data_samples)

    def compute_metrics(self, results):
        return {'length': len(self.dataset_meta['name']), 'samples': len(results)}


class Recorder(Hook):
    """Names and batch numbers of all evaluation events."""

    def __init__(self):
        self.events, self.metrics, self.gains, self.shown_meta = [], [], [], []

    def _record(self, runner, name):
        self.events.append(name)
        self.gains.append(runner.model.gain.item())

    def before_val(self, runner):
        self._record(runner, 'before_val')

    def before_val_epoch(self, runner):
        self._record(runner, 'before_val_epoch')

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._record(runner, batch_idx)
        assert len(outputs) == len(data_batch['data_samples'])
        self.shown_meta.append(runner.visualizer.dataset_meta)

    def after_val_epoch(self, runner, metrics=None):
        self._record(runner, 'after_val_epoch')
        self.metrics.append(metrics)

    def after_val(self, runner):
        self._record(runner, 'after_val')

    def before_test_epoch(self, runner):
        self._record(runner, 'before_test_epoch')

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._record(runner, batch_idx)

    def after_test_epoch(self, runner, metrics=None):
        self._record(runner, 'after_test_epoch')


def loader(**dataset):
    return {
        'batch_size': 2,
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        'dataset': {'type': 'florence.ToyPoints', **dataset},
    }


def loaders():
    return {'right': loader(size=5, name='abc'), 'shifted': loader(size=4, shift=1, name='de')}


def evaluators():
    return {'right': ACCURACY, 'shifted': [ACCURACY, {'type': 'florence.NameOfSet'}]}


def make_runner(work_dir, **options):
    config = {
        'model': {'type': 'florence.ToyClassifier'},
        'work_dir': str(work_dir),
        'experiment_name': work_dir.name,
        'default_scope': 'florence',
        'log_level': 'WARNING',
        'default_hooks': {'checkpoint': None},
        'env_cfg': {'mp_cfg': {'mp_start_method': 'fork'}},
    }
    return Runner(**{**config, **options})


def val_options(**val_cfg):
    return {
        'val_dataloader': loaders(),
        'val_evaluator': evaluators(),
        'val_cfg': {'type': 'MultiDatasetValLoop', **val_cfg},
    }


def test_metrics_and_hooks(tmp_path):
    recorder = Recorder()
    runner = make_runner(tmp_path, **val_options(), custom_hooks=[recorder])
    metrics = runner.val()
    assert metrics == {
        'right/top1': 100.0, 'right/top2': 100.0, 'right/mean_per_class': 100.0,
        'shifted/top1': 0.0, 'shifted/top2': 0.0, 'shifted/mean_per_class': 0.0,
        'shifted/name/length': 2, 'shifted/name/samples': 4,
    }  # fmt: skip
    assert recorder.metrics == [metrics]
    batches = [0, 1, 2, 3, 4]
    assert recorder.events == ['before_val', 'before_val_epoch', *batches, 'after_val_epoch', 'after_val']
    assert len(runner.val_dataloader) == 5
    assert set(runner.val_evaluator) == {'right', 'shifted'}
    assert recorder.shown_meta == [{'name': 'abc'}] * 3 + [{'name': 'de'}] * 2
    assert not runner.model.training


def test_a_second_run_starts_from_nothing(tmp_path):
    runner = make_runner(tmp_path, **val_options())
    assert runner.val() == runner.val()


def test_losses_of_a_run_are_averaged_per_data_set(tmp_path):
    runner = make_runner(tmp_path, **val_options(), model={'type': 'florence.ToyClassifier', 'gives_loss': True})
    assert runner.val()['right/val_loss'] == 2.0
    runner.model.gain.data.fill_(3.0)
    metrics = runner.val()
    assert metrics['right/loss_gain'] == metrics['right/val_loss'] == metrics['shifted/val_loss'] == 3.0


def test_test_loop(tmp_path):
    recorder = Recorder()
    runner = make_runner(
        tmp_path,
        test_dataloader=loaders(),
        test_evaluator=evaluators(),
        test_cfg={'type': 'MultiDatasetTestLoop'},
        custom_hooks=[recorder],
    )
    metrics = runner.test()
    assert metrics['right/top1'] == 100.0 and metrics['shifted/top1'] == 0.0
    assert recorder.events == ['before_test_epoch', 0, 1, 2, 3, 4, 'after_test_epoch']
    # LoggerHook writes the figures of a test run next to the log
    written = json.loads(next(tmp_path.rglob(f'{runner.timestamp}.json')).read_text())
    assert written['right/top1'] == 100.0


@pytest.mark.parametrize(('fp16', 'dtype'), [(False, torch.float32), (True, torch.bfloat16)])
def test_fp16_runs_under_autocast(tmp_path, fp16, dtype):
    runner = make_runner(tmp_path, **val_options(fp16=fp16))
    runner.val()
    assert runner.model.dtypes == {dtype}


def train_options(**hooks):
    return {
        'train_dataloader': loader(size=4),
        'train_cfg': {'by_epoch': True, 'max_epochs': 2},
        'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 1.0}},
        **val_options(),
        **hooks,
    }


def test_training_with_save_best_and_log(tmp_path):
    """Two steps per epoch from 3: the gain is 1 after epoch 1 and -1, so that all is wrong, after epoch 2."""
    recorder = Recorder()
    runner = make_runner(
        tmp_path,
        **train_options(default_hooks={'checkpoint': {'type': 'CheckpointHook', 'save_best': 'right/top1'}}),
        custom_hooks=[recorder],
    )
    runner.model.gain.data.fill_(3.0)
    runner.train()
    assert [metrics['right/top1'] for metrics in recorder.metrics] == [100.0, 0.0]
    best = tmp_path / 'best_right_top1_epoch_1.pth'
    assert torch.load(best, weights_only=False)['state_dict']['gain'].item() == 1.0
    assert [path.name for path in tmp_path.glob('best_*')] == [best.name]
    lines = [json.loads(line) for line in next(tmp_path.rglob('scalars.json')).read_text().splitlines()]
    assert [line['right/top1'] for line in lines if 'right/top1' in line] == [100.0, 0.0]


def test_ema_weights_are_evaluated_once_and_given_back(tmp_path):
    recorder = Recorder()
    ema = {'type': 'mmengine.EMAHook', 'ema_type': 'ExponentialMovingAverage', 'momentum': 0.5, 'priority': 'HIGHEST'}
    runner = make_runner(tmp_path, **train_options(), custom_hooks=[ema, recorder])
    runner.train()
    # from 2, the two steps of the first epoch leave 1 and 0; the average copies 1, then goes half way to 0
    first = dict(zip(recorder.events[:9], recorder.gains[:9], strict=True))
    assert first['before_val'] == 0.0
    assert [first[name] for name in ('before_val_epoch', 0, 1, 2, 3, 4)] == [0.5] * 6
    assert first['after_val_epoch'] == first['after_val'] == 0.0


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'val_evaluator': {'right': ACCURACY}}, r"only in val_dataloader: \['shifted'\]"),
        ({'val_dataloader': {'right': loader(size=2)}}, r"only in val_evaluator: \['shifted'\]"),
        ({'val_dataloader': loader(size=2)}, 'val_dataloader to be a dict of.*batch_size.*ValLoop'),
        ({'val_evaluator': ACCURACY}, r"val_evaluator to be a dict.*found \['type', 'topk'\]"),
        ({'val_evaluator': [ACCURACY]}, 'found list'),
        ({'val_dataloader': {}}, 'found \\[\\]'),
    ],
)
def test_mistakes(tmp_path, change, message):
    runner = make_runner(tmp_path, **{**val_options(), **change})
    with pytest.raises(ValueError, match=message):
        runner.build_val_loop(runner._val_loop)
