"""The report on videos: of actions in mmaction's world, of retrieval; numbers against a count of their own."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from tiny_video import recognizer_config, two_tower_config
from torch.utils.data import Dataset

from florence.apis.model_loading import build_model
from florence.apis.video_report import make_video_report
from florence.datasets.transforms import PackVideoText
from florence.registry import DATASETS

CLASSES = ('left', 'right', 'up')
NUM_CLIPS = 12


class _NoiseClips(Dataset):
    """Clips of noise, the same on every read."""

    metainfo = {'classes': CLASSES}

    def __len__(self):
        return NUM_CLIPS

    def results(self, index):
        rng = np.random.default_rng(index)
        imgs = [rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(4)]
        return dict(imgs=imgs, clip_len=4, num_clips=1, sample_id=f'clip {index}', filename=f'clip{index}.mp4')


@DATASETS.register_module(force=True)
class NoiseActions(_NoiseClips):
    def __getitem__(self, index):
        from mmaction.datasets.transforms import FormatShape, PackActionInputs

        results = {**self.results(index), 'label': index % 3}
        return PackActionInputs(meta_keys=('filename',))(FormatShape('NCTHW')(results))


@DATASETS.register_module(force=True)
class NoiseLabels(NoiseActions):
    """Labels and names that the test chooses."""

    def __init__(self, labels, classes=None):
        self.labels, self.metainfo = labels, {'classes': classes}

    def __getitem__(self, index):
        item = super().__getitem__(index)
        item['data_samples'].set_gt_label(self.labels[index % len(self.labels)])
        return item


@DATASETS.register_module(force=True)
class NoiseCaptions(_NoiseClips):
    def __getitem__(self, index):
        return PackVideoText()({**self.results(index), 'captions': (f'clip number {index}', f'noise {index}')})


@DATASETS.register_module(force=True)
class NoiseClasses(_NoiseClips):
    def __getitem__(self, index):
        return PackVideoText('kinetics')({**self.results(index), 'label': index % 3, 'classes': CLASSES})


@DATASETS.register_module(force=True)
class NoiseAlone(_NoiseClips):
    def __getitem__(self, index):
        return PackVideoText()(self.results(index))


def loader(dataset):
    return dict(
        batch_size=5, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False), dataset=dict(type=f'florence.{dataset}')
    )


def saved(config, path):
    torch.manual_seed(0)
    model = build_model(config, config.default_scope)
    if config.default_scope == 'florence':
        model.tokenizer.tokenizer.train(['clip number noise', *CLASSES])
    torch.save(model.state_dict(), path)
    return model.eval()


def test_actions(tmp_path):
    config = recognizer_config(test_dataloader=loader('NoiseActions'), test_evaluator=dict(type='AccMetric'))
    model = saved(config, tmp_path / 'model.pth')
    report = make_video_report(config, str(tmp_path / 'model.pth'), tmp_path / 'out', num_examples=2)
    data = NoiseActions()
    guesses = []
    with torch.no_grad():
        for index in range(NUM_CLIPS):
            packed = data[index]
            found = model.test_step(dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']]))
            guesses.append(int(found[0].pred_label))
    right = [guess == index % 3 for index, guess in enumerate(guesses)]
    assert report['figures']['acc/top1'] == pytest.approx(np.mean(right))
    assert report['by_class'] == {name: pytest.approx(100 * np.mean(right[i::3])) for i, name in enumerate(CLASSES)}
    assert sum(count for *_, count in report['confusions']) == NUM_CLIPS - sum(right)
    page = (tmp_path / 'out/index.html').read_text()
    assert f'Wrong: {NUM_CLIPS - sum(right)} of {NUM_CLIPS}' in page and 'pictures/wrong.png' in page
    assert Image.open(tmp_path / 'out/pictures/wrong.png').width > 600
    assert json.loads((tmp_path / 'out/report.json').read_text())['task'] == 'action recognition'


def labelled(tmp_path, labels, classes):
    data = loader('NoiseLabels')
    data['dataset'] |= dict(labels=labels, classes=classes)
    config = recognizer_config(test_dataloader=data, test_evaluator=dict(type='AccMetric'))
    saved(config, tmp_path / 'model.pth')
    return make_video_report(config, str(tmp_path / 'model.pth'), tmp_path / 'out')


def test_classes_of_one_name_stay_apart(tmp_path):
    report = labelled(tmp_path, [0, 1, 2], ('left', 'up', 'left'))
    assert list(report['by_class']) == ['left (0)', 'up', 'left (2)']
    right = sum(share / 100 * NUM_CLIPS / 3 for share in report['by_class'].values())
    assert sum(count for *_, count in report['confusions']) == pytest.approx(NUM_CLIPS - right)
    assert 'left (2)' in (tmp_path / 'out/index.html').read_text()


@pytest.mark.parametrize(
    ('labels', 'classes', 'message'),
    [
        ([0, 1, 3], CLASSES, 'a video has the label 3, the model tells 3 classes, from 0 on'),
        ([0, -1], None, 'a video has the label -1, the model tells 3 classes'),
        ([0, 1], ('left', 'right'), 'the model tells 3 classes, the data set names 2'),
    ],
)
def test_labels_and_names_are_those_of_the_model(tmp_path, labels, classes, message):
    with pytest.raises(ValueError, match=message):
        labelled(tmp_path, labels, classes)


def test_zero_shot_actions(tmp_path):
    entries = dict(test_dataloader=loader('NoiseClasses'), test_evaluator=dict(type='ZeroShotAccuracy', topk=(1,)))
    config = two_tower_config('tube', **entries)
    saved(config, tmp_path / 'model.pth')
    report = make_video_report(config, str(tmp_path / 'model.pth'), tmp_path / 'out')
    assert report['figures']['top1'] == pytest.approx(np.mean(list(report['by_class'].values())))


def test_retrieval(tmp_path):
    entries = dict(test_dataloader=loader('NoiseCaptions'), test_evaluator=dict(type='VideoTextRetrieval', ks=(1, 5)))
    config = two_tower_config('frames', **entries)
    saved(config, tmp_path / 'model.pth')
    report = make_video_report(config, str(tmp_path / 'model.pth'), tmp_path / 'out', num_examples=3)
    assert report['num_texts'] == 2 * NUM_CLIPS and report['shown_queries'] == 6
    assert set(report['figures']) == {
        't2v_R@1', 't2v_R@5', 'v2t_R@1', 'v2t_R@5', 'mean_R', 't2v_MdR', 't2v_MnR', 'v2t_MdR', 'v2t_MnR',
    }  # fmt: skip
    assert np.asarray(Image.open(tmp_path / 'out/pictures/retrieval.png')).std() > 10
    assert 'pictures/retrieval.png' in (tmp_path / 'out/index.html').read_text()


def test_mistakes_get_one_sentence(tmp_path):
    evaluator = dict(type='florence.VideoTextRetrieval')
    config = two_tower_config('frames', test_dataloader=loader('NoiseAlone'), test_evaluator=evaluator)
    with pytest.raises(ValueError, match='neither captions nor labels'):
        make_video_report(config, 'none.pth', tmp_path)
    with pytest.raises(ValueError, match='needs one val_dataloader'):
        make_video_report(config, 'none.pth', tmp_path, split='val')
    with pytest.raises(ValueError, match="split 'val' or 'test', got 0"):
        make_video_report(config, 'none.pth', tmp_path, num_examples=0)
    config.test_dataloader.dataset.type = 'florence.NoiseCaptions'
    with pytest.raises(FileNotFoundError, match='none.pth'):
        make_video_report(config, 'none.pth', tmp_path)
    with pytest.raises(ValueError, match='no model'):
        make_video_report(Config(dict(default_scope='florence')), 'none.pth', tmp_path)
