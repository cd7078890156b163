"""Reading of the fields that a metric needs, with an error that says where a missing one comes from."""

from collections.abc import Mapping
from typing import Any

SOURCES = {
    'gt_label': 'the data set gives it (one class index per image; for several classes use MultiLabelAP)',
    'gt_labels': 'the data set gives it (a tuple of class indices; for a single class use ZeroShotAccuracy)',
    'captions': 'the data set gives it (a tuple of all captions of the image) and PackImageText packs it',
    'pred_scores': 'the model predicts it for samples with `classes`: give the data set its class names',
    'image_embeds': "the model's `predict` gives it",
    'answers': "the data set gives it (a tuple of the annotators' answers); for a set without annotations use format_only",
    'question_id': 'the data set gives it and PackImageText packs it',
    'pred_caption': 'the model predicts it: use a model with a CaptionHead',
    'pred_answer': 'the model predicts it: use a model with a VQAHead',
    'pred_label': 'the model predicts it: use a model with a head that classifies',
    **dict.fromkeys(
        ('num_masked', 'num_right', 'num_right_blank', 'match_score'), 'the model predicts it: use a model with a PretrainHead'
    ),
    'pair_scores': "the loop gives it: use val_cfg=dict(type='FusedRetrievalValLoop') or its test form",
    **dict.fromkeys(
        ('task', 'prompt', 'references', 'truth'), 'AskTask sets it, put it into the test pipeline, and PackImageText packs it'
    ),
    **dict.fromkeys(('pred_texts', 'pred_log_probs', 'pred_spans'), 'the model predicts it: use florence.Florence2'),
    'text_embeds': 'the model predicts it for samples with `captions`: use a retrieval data set',
}


def read_fields(metric: object, sample: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    """The named fields of a prediction.

    Args:
        metric: Who asks, for the message.
        sample: A data sample as dict.
        names: Keys of `SOURCES`.

    Raises:
        KeyError: If a field is missing; says which one, in which sample, and what provides it.
    """
    for name in names:
        if name not in sample:
            raise KeyError(
                f'{type(metric).__name__} needs the field {name!r}, sample {sample.get("sample_id")!r} has '
                f'{sorted(sample)}: {SOURCES[name]}.'
            )
    return tuple(sample[name] for name in names)
