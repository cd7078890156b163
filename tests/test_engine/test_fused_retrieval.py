"""Two-tower first, fused re-ranking: figures against the whole model run for every pair, ranks against one process, refusals."""

import json

import pytest
import torch
from conftest import REPO_ROOT
from fused_retrieval_runs import run
from mmengine.evaluator import BaseMetric, Evaluator
from ranks import run_ranks
from tiny_ranking import CAPTIONS, TinyRetrievalSet, brute_force, collate, tiny_ranker

from florence.evaluation.functional import recall_at_k, retrieval_ranks, score_ranks

WORKER = REPO_ROOT / 'tests' / 'fused_retrieval_runs.py'


class Keep(BaseMetric):
    """Keeps the samples that the loop gives."""

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        self.kept = results
        return {}


def kept_samples(model=None, **settings):
    metric = Keep()
    run(model=model, evaluator=Evaluator([metric]), **settings)
    return metric.kept


def embeds_of(model):
    data = TinyRetrievalSet()
    samples = model.test_step(collate([data[index] for index in range(len(data))]))
    return torch.stack([s.image_embeds for s in samples]), torch.cat([s.text_embeds for s in samples])


def same_model(**options):
    torch.manual_seed(0)
    return tiny_ranker(**options)


def test_all_pairs_give_the_figures_of_the_whole_model_run_for_each():
    figures, runner = run(top_k=None)
    model = same_model()
    fused, before = score_ranks(brute_force(model), CAPTIONS), retrieval_ranks(*embeds_of(model), CAPTIONS)
    for prefix, ranks in (('', fused), ('two_tower_', before)):
        for direction, own in (('i2t', ranks.image_to_text), ('t2i', ranks.text_to_image)):
            for k, value in recall_at_k(own, (1, 2, 3)).items():
                assert figures[f'{prefix}{direction}_R@{k}'] == value
    assert any(figures[name] != figures[f'two_tower_{name}'] for name in ('i2t_R@1', 't2i_R@1', 't2i_R@2'))
    expected = ['before_val', 'before_val_epoch', *['before_val_iter', 'after_val_iter'] * 4, 'after_val_epoch', 'after_val']
    assert runner.hooks == expected


def test_only_candidates_are_fused_and_each_pair_once():
    model = same_model()
    images, texts = embeds_of(model)
    scores, expected = images @ texts.t(), brute_force(model)
    wanted = torch.zeros(len(CAPTIONS), len(texts), dtype=torch.uint8)
    wanted |= torch.zeros_like(wanted).scatter_(1, scores.topk(2, dim=1).indices, 1)
    wanted |= torch.zeros_like(wanted).scatter_(0, scores.topk(2, dim=0).indices, 2)
    for image, sample in enumerate(kept_samples(top_k=2)):
        own = sample['pair_texts'].tolist()
        assert len(set(own)) == len(own) == len(sample['pair_scores'])
        torch.testing.assert_close(sample['pair_scores'], expected[image, own], atol=1e-4, rtol=0)
        for text in range(len(texts)):
            bits = int(sample['pair_lists'][own.index(text)]) if text in own else 0
            assert bits & 2 == wanted[image, text] & 2
            # The text that two images share ties with itself, and may be left out at the border.
            assert bits & 1 <= wanted[image, text] & 1


def test_similarity_may_be_added():
    model = same_model()
    images, texts = embeds_of(model)
    expected = brute_force(model) + 3 * images @ texts.t()
    rows = torch.stack([sample['pair_scores'] for sample in kept_samples(top_k=None, similarity_weight=3.0)])
    torch.testing.assert_close(rows, expected, atol=1e-4, rtol=0)


def test_half_precision_tokens_change_scores_little():
    full, half = (
        torch.stack([sample['pair_scores'] for sample in kept_samples(top_k=None, token_dtype=dtype)])
        for dtype in ('float32', 'float16')
    )
    assert 0 < (full - half).abs().max() < 0.05


def test_the_test_loop_does_the_same():
    figures, runner = run('test', top_k=2)
    assert figures == run(top_k=2)[0] and runner.hooks[0] == 'before_test'


def test_without_two_towers_every_pair_is_fused():
    torch.manual_seed(0)
    model = tiny_ranker(two_tower=False)
    figures, _ = run(model=model, top_k=None)
    assert not any('two_tower' in name for name in figures)
    ranks = score_ranks(brute_force(model), CAPTIONS)
    assert figures['i2t_R@1'] == recall_at_k(ranks.image_to_text, (1,))[1]


def test_two_ranks_agree_with_one_process(tmp_path):
    """Seven images on two ranks, one of which sees a first one again: pairs are divided, all ranks get the same figures."""
    run_ranks(WORKER, [str(tmp_path)])
    first, second = (json.loads((tmp_path / f'figures{rank}.json').read_text()) for rank in range(2))
    assert first == second
    for top_k in (2, None):
        assert first[str(top_k)] == pytest.approx(run(top_k=top_k)[0])


def test_mistakes_are_named():
    with pytest.raises(ValueError, match='top_k and similarity_weight need a two-tower model'):
        run(model=tiny_ranker(two_tower=False))
    with pytest.raises(ValueError, match="token_dtype must be one of .* got 'int8'"):
        run(token_dtype='int8')
    with pytest.raises(ValueError, match='top_k and pair_batch must be at least 1'):
        run(top_k=0)


def test_other_models_are_refused():
    from tiny_meter import tiny_meter

    class Questions(TinyRetrievalSet):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            item['data_samples'].text = 'how many?'
            return item

    with pytest.raises(ValueError, match='need a METERModel with a RankingHead'):
        run(model=tiny_meter(), dataset=Questions())


def test_images_of_several_sizes_are_refused():
    class Mixed(TinyRetrievalSet):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            return item if index < 4 else {**item, 'inputs': item['inputs'].repeat(1, 2, 2)}

    with pytest.raises(ValueError, match='must have one size'):
        run(dataset=Mixed(), top_k=2)
