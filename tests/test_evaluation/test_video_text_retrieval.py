"""Text-video retrieval: figures against a hand count, ties, several captions, chance level, mmaction2's figures without ties."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.evaluator import Evaluator

from florence.registry import METRICS
from florence.structures import ImageTextSample


def evaluate(videos, texts, captions, **options):
    evaluator = Evaluator([METRICS.build(dict(type='VideoTextRetrieval', **options))])
    samples, start = [], 0
    for index, own in enumerate(captions):
        item = ImageTextSample(metainfo=dict(sample_id=f'video{index}'))
        item.set_data(dict(image_embeds=videos[index], text_embeds=texts[start : start + len(own)], captions=own))
        start += len(own)
        samples.append(item)
    evaluator.process(samples)
    return evaluator.evaluate(len(samples))


def test_both_directions_and_any_caption():
    basis = torch.eye(3)
    # Caption b of video 0 is that of video 1, c is right, a is right.
    texts = torch.stack([basis[0], basis[1], F.normalize(basis[1] + 0.5 * basis[2], dim=0), basis[2]])
    got = evaluate(basis, texts, [('a', 'b'), ('c',), ('d',)], ks=(1, 2))
    # videos: 0 finds a; 1 finds b of video 0 first, then c; 2 finds d. texts: a 1; b: video 1, then 0 and 2 tie at 0; c 1; d 1.
    assert got == pytest.approx({
        'v2t_R@1': 200 / 3, 'v2t_R@2': 100.0, 't2v_R@1': 75.0, 't2v_R@2': 75.0, 'mean_R': (200 / 3 + 100 + 75 + 75) / 4,
        'v2t_MdR': 1.0, 'v2t_MnR': 4 / 3, 't2v_MdR': 1.0, 't2v_MnR': (1 + 3 + 1 + 1) / 4,
    })  # fmt: skip


def test_ties_earn_nothing():
    same = F.normalize(torch.ones(10, 4), dim=1)
    got = evaluate(same, same, [(f'caption {i}',) for i in range(10)], ks=(1, 9))
    assert got['t2v_R@9'] == got['v2t_R@9'] == 0.0 and got['t2v_MnR'] == got['t2v_MdR'] == 10.0


def test_random_embeddings_score_at_chance():
    generator = torch.Generator().manual_seed(1)
    videos, texts = (F.normalize(torch.randn(1000, 16, generator=generator), dim=1) for _ in range(2))
    got = evaluate(videos, texts, [(f'caption {i}',) for i in range(1000)])
    for direction in ('t2v', 'v2t'):
        # Of a binomial with p = k / 1000 the standard deviation is 0.1, 0.22 and 0.31 %.
        for k, tolerance in ((1, 0.4), (5, 0.9), (10, 1.3)):
            assert got[f'{direction}_R@{k}'] == pytest.approx(k / 10, abs=tolerance)
        assert got[f'{direction}_MnR'] == pytest.approx(500.5, abs=40) and got[f'{direction}_MdR'] == pytest.approx(500.5, abs=70)


def test_equals_mmaction2_where_no_scores_tie():
    from mmaction.evaluation.metrics import RetrievalMetric

    videos = F.normalize(torch.randn(60, 32, dtype=torch.float64), dim=1)
    texts = F.normalize(videos + 0.3 * torch.randn(60, 32, dtype=torch.float64), dim=1)
    peer = RetrievalMetric()
    peer.process(None, [dict(features=dict(video_feature=v, text_feature=t)) for v, t in zip(videos, texts, strict=True)])
    want = peer.compute_metrics(peer.results)
    got = evaluate(videos, texts, [(f'caption {i}',) for i in range(60)])
    assert 0 < want['R1'] < 100
    names = {'R1': 't2v_R@1', 'R5': 't2v_R@5', 'R10': 't2v_R@10', 'MdR': 't2v_MdR', 'MnR': 't2v_MnR'}
    assert {name: got[names[name]] for name in names} == pytest.approx({name: float(value) for name, value in want.items()})
