import math

import pytest

from florence.tasks.florence2.box_scores import box_scores
from florence.tasks.florence2.parsers import parse_boxes, parse_proposals, parse_text

PIECES = ['', 'red', ' cat', *(f'<loc_{i}>' for i in range(8)), 'dog', *(f'<loc_{i}>' for i in range(4)), '<loc_9>', '']
PROBABILITIES = [1.0, 0.5, 0.125, *[0.5] * 4, *[0.25] * 4, 0.75, 1.0, 1.0, 0.0625, 1.0, 0.001, 0.01]
LOG_PROBS = [math.log(probability) for probability in PROBABILITIES]


def answered(parser=parse_boxes):
    spans, end = [], 0
    for piece in PIECES:
        spans.append((end, end + len(piece)))
        end += len(piece)
    return parser(''.join(PIECES), (1000, 1000)), spans


@pytest.mark.parametrize(
    ('mode', 'scores'),
    [
        ('const', [1, 1, 1]),
        ('loc', [0.5, 0.25, 0.5]),
        ('cat', [0.25, 0.25, 0.75]),
        ('product', [0.125, 0.0625, 0.375]),
    ],
)
def test_scores_are_geometric_means(mode, scores):
    answer, spans = answered()
    assert answer['labels'] == ['red cat', 'red cat', 'dog']
    assert box_scores(answer, LOG_PROBS, spans, mode) == pytest.approx(scores)


def test_a_token_that_holds_a_part_of_a_label_counts():
    answer = parse_boxes('cat<loc_1><loc_2><loc_3><loc_4>', (9, 9))
    spans = [(0, 2), (1, 10), (10, 17), (17, 24), (24, 31)]
    assert box_scores(answer, [-1.0, -2.0, -3.0, -3.0, -4.0], spans, 'cat') == pytest.approx([math.exp(-1.5)])


def test_what_cannot_be_scored_is_named():
    answer, spans = answered()
    with pytest.raises(ValueError, match="no score mode 'mean'; known: const, loc, cat, product"):
        box_scores(answer, LOG_PROBS, spans, 'mean')
    with pytest.raises(ValueError, match='17 log-probabilities for 18 tokens'):
        box_scores(answer, LOG_PROBS[1:], spans)
    with pytest.raises(ValueError, match="mode 'cat' needs tokens of a label"):
        box_scores(answered(parse_proposals)[0], LOG_PROBS, spans, 'cat')
    with pytest.raises(KeyError, match='no regions to score, it has text'):
        box_scores(answered(parse_text)[0], LOG_PROBS, spans)
