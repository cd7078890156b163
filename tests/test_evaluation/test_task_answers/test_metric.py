"""The metric of Florence-2's answers, from samples to figures."""

import json

import pytest

from florence.evaluation.leaderboards.caption_submission import read_captions
from florence.evaluation.leaderboards.vqa_submission import read_answers
from florence.evaluation.metrics import TaskAnswers

BOX = '<loc_0><loc_0><loc_499><loc_499>'


def sample(number, *asked):
    """Of tuples of task, references, truth, answer; every token is one character with probability one half."""
    tags, references, truths, texts = zip(*asked) if asked else ((),) * 4
    return dict(
        sample_id=str(number),
        ori_shape=(100, 200),
        task=tags,
        prompt=tuple(f'prompt of {tag}' for tag in tags),
        references=references,
        truth=truths,
        pred_texts=texts,
        pred_log_probs=tuple((-0.6931,) * len(text) for text in texts),
        pred_spans=tuple(tuple((place, place + 1) for place in range(len(text))) for text in texts),
    )


DOG = ('<OD>', ('',), {'labels': ['dog'], 'boxes': [[0, 0, 100, 50]]}, f'dog{BOX}')


def evaluate(metric, *samples):
    for one in samples:
        metric.process(None, [one])
    return metric.evaluate(len(samples))


def test_every_task_has_its_figures():
    figures = evaluate(
        TaskAnswers(),
        sample(0, DOG, ('<VQA>', ('red',), {}, 'red')),
        sample(1, ('<OD>', ('',), {'labels': ['dog'], 'boxes': [[0, 0, 100, 50]]}, '')),
        sample(2),
    )
    assert figures['VQA/accuracy'] == 100
    assert figures['OD/mAP_50'] == pytest.approx(50, abs=1)
    assert {f'OD/mAP_{mode}' for mode in ('const', 'loc', 'cat', 'product')} <= set(figures)


def test_boxes_without_labels_have_no_score_of_labels():
    proposals = ('<REGION_PROPOSAL>', ('',), {'labels': [''], 'boxes': [[0, 0, 100, 50]]}, BOX)
    assert evaluate(TaskAnswers(), sample(0, proposals)) == {'REGION_PROPOSAL/AR@100': pytest.approx(100)}


def test_answers_are_written(tmp_path):
    evaluate(TaskAnswers(outfile=str(tmp_path / 'answers.json')), sample(0, DOG))
    (entry,) = json.loads((tmp_path / 'answers.json').read_text())
    assert entry['image'] == '0' and entry['task'] == '<OD>' and entry['answer'] == f'dog{BOX}'
    assert entry['parsed']['boxes'][0] == pytest.approx([0.1, 0.05, 99.9, 49.95])


def test_answers_without_truth_are_only_written(tmp_path):
    path = tmp_path / 'answers.json'
    asked = dict(sample(0, ('<VQA>', (), {}, 'red')), question_id=7, image_id='00a')
    assert evaluate(TaskAnswers(format_only=True, outfile=str(path)), asked) == {}
    (entry,) = json.loads(path.read_text())
    assert (entry['question_id'], entry['image_id'], entry['answer']) == (7, '00a', 'red')
    assert read_answers(path) == [{'question_id': 7, 'answer': 'red'}]
    captioned = dict(sample(1, ('<CAPTION>', (), {}, 'a dog')), image_id=5)
    evaluate(TaskAnswers(format_only=True, outfile=str(path)), captioned)
    assert read_captions(path) == [{'image_id': 5, 'caption': 'a dog'}]
    with pytest.raises(ValueError, match='needs outfile'):
        TaskAnswers(format_only=True)


def test_mistakes_are_named():
    with pytest.raises(KeyError, match="needs the field 'truth'.*AskTask sets it"):
        TaskAnswers().process(None, [{key: value for key, value in sample(0, DOG).items() if key != 'truth'}])
    with pytest.raises(ValueError, match='saw no prompt'):
        evaluate(TaskAnswers(), sample(0))
