"""BLEU, ROUGE-L and CIDEr-D: by hand, against the official code's values on COCO, and against that code where it is installed."""

import importlib.util
import json
import math
import random

import numpy as np
import pytest

from florence.evaluation import CaptionScores
from florence.evaluation.functional import java_caption_metrics
from florence.evaluation.functional.bleu import bleu
from florence.evaluation.functional.caption_scores import caption_scores, choose_metrics
from florence.evaluation.functional.cider import DocumentFrequency, cider_d
from florence.evaluation.functional.ngram_counts import caption_ngrams
from florence.evaluation.functional.rouge_l import rouge_l

NO_JAVA = ('bleu', 'rouge_l', 'cider')

# Official code on COCO val2017: the caption with the lowest id of each image against the others.
COCO = {
    5000: [
        0.6344705701552054,
        0.4373799065113723,
        0.29412868702985323,
        0.19553851792504892,
        0.4717583581954499,
        0.886544201761606,
    ],
    1000: [
        0.6373361603700234,
        0.4415349172883579,
        0.2986114716959373,
        0.19767863373875852,
        0.47300601925131863,
        0.9136460836051801,
    ],
}
NAMES = ['Bleu_1', 'Bleu_2', 'Bleu_3', 'Bleu_4', 'ROUGE_L', 'CIDEr']


def test_official_values_on_coco(test_data):
    captions: dict[int, list] = {}
    for entry in json.loads((test_data / 'captions_coco_val2017/captions_val2017.json').read_text())['annotations']:
        captions.setdefault(entry['image_id'], []).append((entry['id'], entry['caption']))
    groups = [[text for _, text in sorted(captions[image_id])] for image_id in sorted(captions)]
    for images, expected in COCO.items():
        scoring = caption_scores([own[0] for own in groups[:images]], [own[1:] for own in groups[:images]], metrics=NO_JAVA)
        assert [scoring.corpus[name] for name in NAMES] == pytest.approx(expected, abs=1e-12)
        assert scoring.per_image['CIDEr'].shape == (images,)


def test_bleu_clips_counts():
    whole, of_images = bleu(
        caption_ngrams(['the the the the the the the'], [['the cat is on the mat', 'there is a cat on the mat']])
    )
    assert whole[0] == pytest.approx(2 / 7, abs=1e-8) and whole[1] < 1e-6
    assert of_images[0] == pytest.approx(whole)


def test_bleu_closest_length_is_the_shorter_of_two():
    # 3 words: 2 and 4 are as close, 2 is taken, no penalty.
    assert bleu(caption_ngrams(['a b c'], [['a b', 'a b c d']]))[0][0] == pytest.approx(1, abs=1e-8)
    assert bleu(caption_ngrams(['a b'], [['a b c d']]))[0][:2] == pytest.approx([math.exp(-1)] * 2, abs=1e-8)


def test_bleu_of_a_corpus_pools_counts():
    whole, of_images = bleu(caption_ngrams(['a b', 'x y z w'], [['a b'], ['x q r s']]))
    assert of_images[:, 0] == pytest.approx([1, 0.25], abs=1e-8)
    assert whole[:2] == pytest.approx([3 / 6, math.sqrt(3 / 6 * 1 / 4)], abs=1e-8)


def test_rouge_takes_precision_and_recall_from_different_references():
    # 2 of 3 words in the first, all 2 words of the second.
    precision, recall = 2 / 3, 1.0
    expected = (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)
    assert rouge_l(['a b c'], [['a x c y z', 'a b']])[0] == pytest.approx(expected)
    assert rouge_l(['a b c'], [['c b a']])[0] == pytest.approx(1 / 3)
    assert rouge_l(['a', '', ''], [['b'], ['b'], ['']]).tolist() == [0, 0, 1]


def test_rouge_finds_long_common_subsequences():
    dice = random.Random(0)
    for _ in range(20):
        one, other = ([dice.choice('abcde') for _ in range(dice.randint(70, 150))] for _ in range(2))
        table = np.zeros((len(one) + 1, len(other) + 1), dtype=int)
        for i, first in enumerate(one):
            for j, second in enumerate(other):
                table[i + 1, j + 1] = table[i, j] + 1 if first == second else max(table[i, j + 1], table[i + 1, j])
        precision, recall = table[-1, -1] / len(one), table[-1, -1] / len(other)
        expected = 2.44 * precision * recall / (recall + 1.44 * precision)
        assert rouge_l([' '.join(one)], [[' '.join(other)]])[0] == pytest.approx(expected)


def test_cider_by_hand():
    # No n-gram is in two images: all weights are log 2 and cancel, n-grams in common over the root of the products remain.
    ngrams = caption_ngrams(['a b c d', 'p q r s'], [['a b c d e'], ['p q r s']])
    cosines = [4 / math.sqrt(4 * 5), 3 / math.sqrt(3 * 4), 2 / math.sqrt(2 * 3), 1 / math.sqrt(1 * 2)]
    assert cider_d(ngrams) == pytest.approx([10 * np.mean(cosines) * math.exp(-1 / 72), 10])


def test_cider_clips_repeated_words_and_averages_references():
    # "a a": weight 2 against 1, clipped to 1, over norms 2 and 1; the pair "a a" is in no reference.
    ngrams = caption_ngrams(['a a', 'x'], [['a', 'b'], ['x']])
    assert cider_d(ngrams) == pytest.approx([10 / 4 * (1 / 2) * math.exp(-1 / 72) / 2, 10 / 4])


def test_cider_of_one_image_is_zero_without_another_corpus(tmp_path):
    ngrams = caption_ngrams(['a b'], [['a b']])
    assert cider_d(ngrams) == 0
    DocumentFrequency.of([['a b', 'a c'], ['a'], ['x']]).write(tmp_path / 'idf.json')
    frequency = DocumentFrequency.read(tmp_path / 'idf.json')
    assert frequency == DocumentFrequency(3, {'a': 2, 'b': 1, 'c': 1, 'x': 1, 'a b': 1, 'a c': 1})
    assert cider_d(ngrams, frequency) == pytest.approx([5])
    # Of "a" and "c" the reference has "a" alone, the rarer of which weighs more.
    weights = math.log(3 / 2), math.log(3)
    expected = weights[0] ** 2 / math.hypot(*weights) ** 2
    assert cider_d(caption_ngrams(['a c'], [['a b']]), frequency) == pytest.approx([10 / 4 * expected])


@pytest.mark.parametrize('content', ['{', '[]', '{"num_images": 2}', '{"num_images": 2, "counts": {"a": 3}}'])
def test_broken_document_frequency(tmp_path, content):
    (tmp_path / 'idf.json').write_text(content)
    with pytest.raises(ValueError, match='no file of document frequencies'):
        DocumentFrequency.read(tmp_path / 'idf.json')
    with pytest.raises(FileNotFoundError, match='check the path'):
        DocumentFrequency.read(tmp_path / 'other.json')


def test_captions_without_tokens_score_zero_and_are_counted():
    scoring = caption_scores(['', '...', 'a red bird'], [['a cat'], ['a dog'], ['a red bird']], metrics=NO_JAVA)
    assert scoring.num_empty == 2
    for name in ('CIDEr', 'ROUGE_L', 'Bleu_1'):
        assert scoring.per_image[name][:2] == pytest.approx([0, 0], abs=1e-6)
        assert scoring.per_image[name][2] > 0.5
    nothing = caption_scores(['', ''], [['a cat'], ['...']], metrics=NO_JAVA)
    assert nothing.corpus['CIDEr'] == 0 and nothing.corpus['Bleu_4'] == 0


def test_as_the_official_scorers():
    if importlib.util.find_spec('pycocoevalcap') is None:
        pytest.skip('pycocoevalcap is not installed')
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    dice = random.Random(0)

    def line():
        words = ['a', 'a', 'a', 'b', 'b', 'c', 'd', 'e', 'f', '1\xa01/2']
        return ' '.join(dice.choice(words) for _ in range(dice.randint(0, 12)))

    hypotheses = [line() for _ in range(300)]
    references = [[line() for _ in range(dice.randint(1, 6))] for _ in hypotheses]
    given = dict(enumerate(references)), {index: [text] for index, text in enumerate(hypotheses)}
    ngrams = caption_ngrams(hypotheses, references)
    whole, of_images = bleu(ngrams)
    official, of_official_images = Bleu(4).compute_score(*given, verbose=0)
    assert whole == pytest.approx(official, rel=1e-12)
    assert pytest.approx(np.array(of_official_images), rel=1e-9) == of_images.T
    assert cider_d(ngrams) == pytest.approx(Cider().compute_score(*given)[1], abs=1e-12)
    assert rouge_l(hypotheses, references) == pytest.approx(Rouge().compute_score(*given)[1], abs=1e-12)


def test_meteor():
    if reason := java_caption_metrics.why_not('meteor'):
        pytest.skip(reason)
    references = [['the dog is running on the grass', 'a brown dog'], ['a cat'], ['birds flying', 'two birds in the sky']]
    scoring = caption_scores(['a dog runs on grass', '', 'two red birds fly'], references, metrics=['meteor'])
    # Of METEOR 1.5 in pycocoevalcap 1.2.
    assert scoring.corpus == pytest.approx({'METEOR': 0.24705657862082006})
    assert scoring.per_image['METEOR'] == pytest.approx([0.26412513, 0, 0.34739612], abs=1e-7)


def test_metrics_that_cannot_run(monkeypatch, tmp_path):
    def logged(message, logger):
        lines.append(message)

    lines: list[str] = []
    monkeypatch.setattr('florence.evaluation.functional.caption_scores.print_log', logged)
    monkeypatch.setattr(java_caption_metrics.importlib.util, 'find_spec', lambda name: None)
    assert choose_metrics(None) == NO_JAVA
    assert len(lines) == 1 and 'meteor needs pycocoevalcap' in lines[0] and 'spice needs pycocoevalcap' in lines[0]
    with pytest.raises(ValueError, match='meteor needs pycocoevalcap: pip install'):
        choose_metrics(['bleu', 'meteor'])
    with pytest.raises(ValueError, match=r"got \['blue'\]"):
        choose_metrics(['blue'])
    spec = importlib.machinery.ModuleSpec('pycocoevalcap', None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(java_caption_metrics.importlib.util, 'find_spec', lambda name: spec)
    monkeypatch.setattr(java_caption_metrics.shutil, 'which', lambda name: None)
    assert 'meteor needs Java' in java_caption_metrics.why_not('meteor')
    monkeypatch.setattr(java_caption_metrics.shutil, 'which', lambda name: '/bin/java')
    assert java_caption_metrics.why_not('meteor') is None
    assert f'in {tmp_path / "spice/lib"}' in java_caption_metrics.why_not('spice')


def samples(*captions, **fields):
    return [
        {'image_id': index, 'pred_caption': caption, 'captions': ('a cat on a mat', 'the cat'), **fields}
        for index, caption in enumerate(captions)
    ]


def evaluate(given, **options):
    metric = CaptionScores(**{'metrics': NO_JAVA, **options})
    metric.process({}, given)
    return metric.evaluate(len(given))


def test_metric_gives_official_scores_times_100(tmp_path):
    given = samples('a cat on a mat', 'a dog')
    given[1]['captions'] = ('one dog', 'dogs')
    scores = evaluate(given, outfile=str(tmp_path / 'out.json'))
    expected = caption_scores(['a cat on a mat', 'a dog'], [own['captions'] for own in given], metrics=NO_JAVA).corpus
    assert scores == {name: pytest.approx(100 * score) for name, score in expected.items()}
    assert sorted(scores) == sorted(NAMES) and scores['CIDEr'] > 100
    written = json.loads((tmp_path / 'out.json').read_text())
    assert written == [{'image_id': 0, 'caption': 'a cat on a mat'}, {'image_id': 1, 'caption': 'a dog'}]


def test_metric_writes_without_references(tmp_path):
    given = [{'sample_id': 'x', 'pred_caption': ''}]
    assert evaluate(given, format_only=True, outfile=str(tmp_path / 'out.json')) == {}
    assert json.loads((tmp_path / 'out.json').read_text()) == [{'image_id': 'x', 'caption': ''}]
    with pytest.raises(ValueError, match='needs outfile'):
        CaptionScores(format_only=True)


def test_metric_refuses_what_it_cannot_score():
    with pytest.raises(ValueError, match='captioned more than once, e.g. 7'):
        evaluate(samples('a', 'b', image_id=7))
    with pytest.raises(ValueError, match='2 of 2 images have no reference caption, e.g. 0'):
        evaluate(samples('a', 'b', captions=()))
    with pytest.raises(KeyError, match='pred_caption.*CaptionHead'):
        evaluate([{'image_id': 1, 'captions': ('a',)}])
    with pytest.raises(ValueError, match="is the text 'a cat', expected a list of texts"):
        evaluate(samples('a', captions='a cat'))
    with pytest.raises(KeyError, match='image_id or sample_id'):
        evaluate([{'pred_caption': 'a', 'captions': ('a',)}])
    with pytest.raises(ValueError, match='saw no image'):
        CaptionScores(metrics=NO_JAVA).compute_metrics([])


def test_metric_counts_empty_captions(monkeypatch):
    lines = []
    monkeypatch.setattr('florence.evaluation.metrics.caption_scores.print_log', lambda message, logger: lines.append(message))
    evaluate(samples('', 'a cat', '!'))
    assert lines == ['CaptionScores: 2 of 3 captions are empty and score 0.']
