"""The visual report on retrieval and on captions: what queries find, by brute force, and the examples that are shown."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from PIL import Image
from tiny_captioner import tiny_captioner
from tiny_meter import encoder_config
from tiny_ranking import CAPTIONS, TinyRetrievalSet, brute_force, collate, tiny_ranker, two_tower_config

from florence.apis.retrieval_report import rank_samples, read_rankings, report_on_retrieval
from florence.apis.vision_language_report import make_vision_language_report
from florence.registry import METRICS

TEXTS = [text for own in CAPTIONS for text in own]
OWNERS = [image for image, own in enumerate(CAPTIONS) for _ in own]
NUM_SCENES = 12


@METRICS.register_module(force=True)
class MeanWords(BaseMetric):
    """Words of a caption."""

    default_prefix = 'test'

    def process(self, data_batch, data_samples):
        self.results += [len(sample['pred_caption'].split()) for sample in data_samples]

    def compute_metrics(self, results):
        return {'words': sum(results) / len(results)}


def batches():
    data = TinyRetrievalSet()
    return [collate([data[index] for index in range(start, min(start + 3, len(data)))]) for start in range(0, len(data), 3)]


def rankings(**settings):
    torch.manual_seed(0)
    return read_rankings(rank_samples(tiny_ranker(), batches(), len(CAPTIONS), settings), limit=4)


def test_every_pair_ranked_as_by_brute_force():
    found = rankings(top_k=None)
    torch.manual_seed(0)
    scores = brute_force(tiny_ranker())
    for image, results in enumerate(found.of_images):
        order = scores[image].argsort(descending=True)[:4]
        assert [text for text, _ in results] == order.tolist()
        assert [score for _, score in results] == pytest.approx(scores[image, order].tolist(), abs=1e-4)
    for text, results in enumerate(found.of_texts):
        assert [image for image, _ in results] == scores[:, text].argsort(descending=True)[:4].tolist()
    assert found.texts == TEXTS and found.owners == OWNERS


def test_candidates_only_compete_in_their_own_lists():
    found, whole = rankings(top_k=2), rankings(top_k=None)
    assert all(1 <= len(results) <= 2 for results in found.of_images + found.of_texts)
    scores = {(image, text): score for image, results in enumerate(whole.of_images) for text, score in results}
    for image, results in enumerate(found.of_images):
        for text, score in results:
            if (image, text) in scores:
                assert score == pytest.approx(scores[image, text], abs=1e-4)


def test_equal_words_are_right():
    found = rankings(top_k=None)
    repeated = TEXTS.index('a red seven')
    assert found.is_right(0, repeated) and found.is_right(5, repeated) and not found.is_right(1, repeated)


def test_pictures_and_counts(tmp_path):
    found = rankings(top_k=None)
    report, pictures = report_on_retrieval(
        found, lambda index: np.full((8, 8, 3), 30 * index, np.uint8), tmp_path, num_examples=3
    )
    missed = sum(not found.is_right(image, results[0][0]) for image, results in enumerate(found.of_images))
    missed_texts = sum(not found.is_right(results[0][0], text) for text, results in enumerate(found.of_texts))
    assert report['counts'] == {
        'images': 7, 'texts': 11, 'images without a right first text': missed,
        'texts without a right first image': missed_texts,
    }  # fmt: skip
    assert missed_texts > 0 and pictures == {
        'What is found': ['pictures/found.png'], 'Wrong first results': ['pictures/missed.png']
    }  # fmt: skip
    assert all(np.asarray(Image.open(tmp_path / files[0])).std() > 10 for files in pictures.values())


def write_config(folder, model, head, encoder, **content):
    torch.save({'state_dict': model.state_dict()}, folder / 'weights.pth')
    dataset = dict(
        type='DigitSceneRetrieval', num_scenes=NUM_SCENES, recipe=dict(image_size=32), pipeline=[dict(type='PackImageText')]
    )
    loader = dict(batch_size=5, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True), dataset=dataset)
    model = dict(type='METERModel', encoder=encoder, head=head)
    return Config(dict(default_scope='florence', model=model, test_dataloader=loader, **content))


def test_report_on_retrieval(tmp_path):
    head = dict(type='RankingHead', two_tower=two_tower_config())
    cfg = write_config(
        tmp_path, tiny_ranker(), head, encoder_config(), test_evaluator=dict(type='FusedRetrieval', ks=(1, 5)),
        test_cfg=dict(type='FusedRetrievalTestLoop', top_k=4),
    )  # fmt: skip
    report = make_vision_language_report(cfg, str(tmp_path / 'weights.pth'), str(tmp_path / 'out'), num_examples=2)
    assert report['task'] == 'image-text retrieval' and report['counts']['images'] == report['num_samples'] == NUM_SCENES
    right = {'i2t': 'images without a right first text', 't2i': 'texts without a right first image'}
    for direction, name in right.items():
        (figure,) = [name for name in report['figures'] if name.startswith(direction) and name.endswith('R@1')]
        assert report['figures'][figure] == pytest.approx(100 * (1 - report['counts'][name] / NUM_SCENES))
    assert any(name.startswith('two_tower') for name in report['figures'])
    page = (tmp_path / 'out/index.html').read_text()
    assert 'src="pictures/found.png"' in page and (tmp_path / 'out/pictures/found.png').is_file()


def test_report_on_captions(tmp_path):
    model = tiny_captioner()
    sizes = dict(embed_dims=(16, 16, 16, 16), depths=(1, 1, 1, 1), num_heads=(2, 2, 2, 2), window_size=4)
    tower = dict(vocab_size=300, context_length=40, embed_dims=24, num_layers=1, num_heads=2, mlp_dims=32)
    encoder = dict(
        image_tower=dict(type='CoSwin', arch=sizes),
        text_tower=dict(type='TextTransformer', **tower),
        tokenizer=dict(type='TrainedBPE', vocab_size=300, context_length=40),
        fusion=dict(type='METERFusion', embed_dims=32, num_layers=3, num_heads=4),
    )
    cfg = write_config(tmp_path, model, dict(type='CaptionHead'), encoder, test_evaluator=dict(type='MeanWords'))
    report = make_vision_language_report(cfg, str(tmp_path / 'weights.pth'), str(tmp_path / 'out'), num_examples=99)
    assert report['task'] == 'captioning' and len(report['examples']) == NUM_SCENES
    assert report['examples'][0]['sample_id'] == 'test/0/0'
    assert all(example['references'] and example['caption'] is not None for example in report['examples'])
    words = [len(example['caption'].split()) for example in report['examples']]
    assert report['figures'] == {'test/words': pytest.approx(sum(words) / NUM_SCENES)}
    assert report['counts'] == {
        'equal to a reference': sum(each['caption'] in each['references'] for each in report['examples']),
        'empty': words.count(0),
    }
    assert json.loads((tmp_path / 'out/report.json').read_text())['examples'] == report['examples']
    with Image.open(tmp_path / 'out/pictures/captions.png') as picture:
        assert np.asarray(picture).std() > 10
