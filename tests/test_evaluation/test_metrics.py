"""The mmengine metrics: figures, names, messages, and equality of two ranks with one process."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import Evaluator

from florence.registry import METRICS
from florence.structures import ImageTextSample

E = torch.eye(4)


def sample(name, **fields):
    result = ImageTextSample(metainfo={'sample_id': name})
    result.set_data(fields)
    return result


def evaluate(config, samples, size=None):
    """Through mmengine's Evaluator, in two batches."""
    evaluator = Evaluator([METRICS.build(config)])
    for batch in (samples[:2], samples[2:]):
        evaluator.process(batch)
    return evaluator.evaluate(len(samples) if size is None else size)


def test_zero_shot_accuracy():
    scores = torch.tensor([[3.0, 2.0, 1.0], [1.0, 3.0, 2.0], [1.0, 2.0, 3.0], [2.0, 1.0, 3.0]])
    labels = (0, 2, 2, 1)
    samples = [sample(str(i), pred_scores=scores[i], gt_label=label) for i, label in enumerate(labels)]
    metrics = evaluate({'type': 'ZeroShotAccuracy', 'topk': (1, 2)}, samples)
    assert metrics == pytest.approx({'top1': 50.0, 'top2': 75.0, 'mean_per_class': 50.0})
    prefixed = evaluate({'type': 'ZeroShotAccuracy', 'topk': (1,), 'prefix': 'food'}, samples)
    assert set(prefixed) == {'food/top1', 'food/mean_per_class'}


def test_padded_samples_are_left_out():
    samples = [sample(str(i), pred_scores=E[i], gt_label=i) for i in (0, 1, 2)]
    wrong_copy = sample('0', pred_scores=E[1], gt_label=0)
    metrics = evaluate({'type': 'ZeroShotAccuracy', 'topk': (1,)}, [*samples, wrong_copy], size=3)
    assert metrics['top1'] == 100.0


def test_multi_label_ap():
    scores = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.6, 0.9, 0.0]])
    labels = [(0,), (0, 1), (1,)]
    samples = [sample(str(i), pred_scores=scores[i], gt_labels=own) for i, own in enumerate(labels)]
    # class 0 is ranked hit, miss, hit; class 1 hit, hit; class 2 has no sample and does not count
    expected = 100 * ((1 + 2 / 3) / 2 + 1) / 2
    assert evaluate({'type': 'MultiLabelAP', 'mode': 'area'}, samples) == pytest.approx({'mAP': expected})


def test_retrieval():
    captions = [('a', 'b'), ('c',), ('d',)]
    texts = [torch.stack([E[3], E[0]]), E[2:3], E[2:3]]
    samples = [sample(str(i), image_embeds=E[i], text_embeds=texts[i], captions=captions[i]) for i in range(3)]
    metrics = evaluate({'type': 'ImageTextRetrieval', 'ks': (1, 3), 'chunk_size': 2}, samples)
    # images: 0 finds b; 1 scores every caption 0, so it comes last; 2 finds d, but c ties.
    # texts: a scores every image 0; b and d find their image; c prefers image 2, and image 0 ties.
    assert metrics == pytest.approx({
        'i2t_R@1': 100 / 3, 'i2t_R@3': 200 / 3, 't2i_R@1': 50.0, 't2i_R@3': 100.0,
        'mean_R': (100 / 3 + 200 / 3 + 50 + 100) / 4, 'i2t_median_rank': 2.0, 't2i_median_rank': 2.0,
        'i2t_mean_rank': 7 / 3, 't2i_mean_rank': 2.0,
    })  # fmt: skip


def test_retrieval_folds():
    twins = (E[0], E[1], E[0], E[1])
    samples = [
        sample(str(i), image_embeds=embeds, text_embeds=embeds[None], captions=(str(i),)) for i, embeds in enumerate(twins)
    ]
    metrics = evaluate({'type': 'ImageTextRetrieval', 'ks': (1,), 'fold_size': 2}, samples)
    # over all four, a twin ties with each; inside a fold there is no twin
    assert metrics['i2t_R@1'] == 0.0 and metrics['fold_i2t_R@1'] == 100.0 and metrics['fold_t2i_R@1'] == 100.0


@pytest.mark.parametrize(
    ('metric', 'fields', 'message'),
    [
        ('ZeroShotAccuracy', {'gt_label': 0}, "'pred_scores'.*`classes`"),
        ('ZeroShotAccuracy', {'pred_scores': E[0], 'gt_labels': (0,)}, "'gt_label'.*MultiLabelAP"),
        ('MultiLabelAP', {'pred_scores': E[0], 'gt_label': 0}, "'gt_labels'.*ZeroShotAccuracy"),
        ('ImageTextRetrieval', {'image_embeds': E[0], 'captions': ('a',)}, "'text_embeds'.*retrieval"),
        ('ImageTextRetrieval', {'image_embeds': E[0], 'text_embeds': E[:1]}, "'captions'.*PackImageText"),
    ],
)
def test_missing_field(metric, fields, message):
    with pytest.raises(KeyError, match=message) as error:
        evaluate({'type': metric}, [sample('cat.jpg', **fields)])
    assert "'cat.jpg'" in str(error.value)


def test_mistakes():
    one = [sample('a', pred_scores=E[0][:3], gt_label=0)]
    with pytest.raises(ValueError, match='top-5 accuracy of 3 classes'):
        evaluate({'type': 'ZeroShotAccuracy'}, one)
    with pytest.raises(ValueError, match='topk must hold'):
        METRICS.build({'type': 'ZeroShotAccuracy', 'topk': (0,)})
    pair = {'image_embeds': E[0], 'text_embeds': E[:1], 'captions': ('a',)}
    with pytest.raises(ValueError, match='R@10 among 1 images'):
        evaluate({'type': 'ImageTextRetrieval'}, [sample('a', **pair)])
    with pytest.raises(ValueError, match="'a' occurs twice"):
        evaluate({'type': 'ImageTextRetrieval', 'ks': (1,)}, [sample('a', **pair), sample('a', **pair)])
    with pytest.raises(ValueError, match='2 captions but 1 text embeddings'):
        evaluate({'type': 'ImageTextRetrieval', 'ks': (1,)}, [sample('a', **pair | {'captions': ('a', 'b')})])
    for config in ('ZeroShotAccuracy', 'MultiLabelAP', 'ImageTextRetrieval'):
        with pytest.raises(ValueError, match='saw no sample'):
            evaluate({'type': config}, [])


WORKER = Path(__file__).with_name('metrics_worker.py')


def test_two_ranks_equal_one_process(tmp_path, repo_root):
    """13 samples on two ranks: the sampler pads one, which must not count."""
    workers = [
        subprocess.Popen(
            [sys.executable, WORKER, str(rank), '2', tmp_path],
            env={**os.environ, 'PYTHONPATH': str(repo_root)},
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=100)
        assert worker.returncode == 0, errors.decode()
    of_ranks = [json.loads((tmp_path / f'figures{rank}.json').read_text()) for rank in range(2)]
    alone = runpy.run_path(str(WORKER))['evaluate'](tmp_path)
    assert of_ranks == [alone, alone]
    assert 0 < alone['i2t_R@5'] < 100
