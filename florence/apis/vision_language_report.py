"""A visual report of a METER model on the test or validation set of its config: figures, examples, attention."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from florence.apis.meter_loading import TASKS, head_type, load_meter, read_meter_config
from florence.apis.retrieval_report import rank_samples, read_rankings, report_on_retrieval
from florence.apis.vqa_report import answered_question, report_on_questions
from florence.atomic_files import write_json
from florence.models.heads import RankingHead, SentenceHead, VQAHead
from florence.models.vision_language import METERModel
from florence.structures import ImageTextSample
from florence.visualization import CaptionedImage, draw_caption_sheet
from florence.visualization.report_page import ReportTable, write_report_page

TRUTHS = {'VQAHead': 'answers', 'SentenceHead': 'gt_label', 'CaptionHead': 'captions', 'RankingHead': 'captions'}
"""Field with the ground truth of each task that there is a report on."""


@dataclass
class _Part:
    """What a task gives to the report."""

    content: dict[str, Any]
    pictures: dict[str, list[str]]
    tables: list[ReportTable] = field(default_factory=list)


def make_vision_language_report(
    cfg: Config,
    checkpoint: str,
    out_dir: str,
    *,
    split: str = 'test',
    device: str = 'cpu',
    num_examples: int = 12,
    num_attention: int = 4,
) -> dict[str, Any]:
    """Write `report.json`, pictures and `index.html`; the page last, so that it is there only if all is.

    Args:
        cfg: Config of a METER model.
        checkpoint: Weights.
        out_dir: Folder to write to.
        split: 'test': its `test_dataloader` and `test_evaluator`; 'val': those of validation, where the test set has no ground
            truth.
        device: Where the model runs.
        num_examples: Examples of each kind that are drawn.
        num_attention: Examples of VQA whose attention is drawn.

    Returns:
        What `report.json` holds.

    Raises:
        FileNotFoundError: If the checkpoint is missing.
        ValueError: If the config is for a task without a report or has no such set with ground truth, the checkpoint is that of
            another model, or an argument is out of range.
    """
    if num_examples < 1 or num_attention < 0:
        raise ValueError(f'expected 1 or more examples and 0 or more of attention, got {num_examples} and {num_attention}.')
    head = head_type(read_meter_config(cfg))
    if head not in TRUTHS:
        raise ValueError(f'there is no report on {TASKS.get(head, head)}: give a config of one of {", ".join(sorted(TRUTHS))}.')
    model = load_meter(cfg, checkpoint, device, head=head)
    dataset, samples, figures = _predict(cfg, model, split, TRUTHS[head])

    def pixels(index: int) -> np.ndarray:
        return _pixels(dataset[index]['inputs'])

    if isinstance(model.head, RankingHead):
        part = _Part(*report_on_retrieval(read_rankings(samples), pixels, out_dir, num_examples=num_examples))
    elif isinstance(model.head, VQAHead | SentenceHead):
        part = _answers(model, samples, pixels, out_dir, num_examples, num_attention)
    else:
        part = _captions(samples, pixels, out_dir, num_examples)
    report = {'task': TASKS[head], 'split': split, 'num_samples': len(samples), 'figures': figures, **part.content}
    write_json(Path(out_dir, 'report.json'), report)
    tables = [ReportTable('Figures', ['figure', 'value'], [[name, value] for name, value in figures.items()]), *part.tables]
    write_report_page(Path(out_dir, 'index.html'), f'Report on {TASKS[head]}', tables, part.pictures)
    return report


@torch.no_grad()
def _predict(cfg: Config, model: METERModel, split: str, truth: str) -> tuple[Any, list[ImageTextSample], dict[str, float]]:
    """The data set, its samples with predictions in its order, and the figures of the config's metrics."""
    if split not in ('val', 'test'):
        raise ValueError(f"split must be 'val' or 'test', got {split!r}.")
    loader_cfg, evaluator_cfg = cfg.get(f'{split}_dataloader'), cfg.get(f'{split}_evaluator')
    if not loader_cfg or 'dataset' not in loader_cfg or not evaluator_cfg:
        raise ValueError(f'the config needs one {split}_dataloader with a data set, and a {split}_evaluator, to report on.')
    in_order = dict(type='DefaultSampler', shuffle=False)
    with DefaultScope.overwrite_default_scope('florence'):
        loader = Runner.build_dataloader({**loader_cfg, 'sampler': in_order, 'drop_last': False}, seed=0)
        evaluator = Evaluator(evaluator_cfg)
    size = len(loader.dataset)
    if not size:
        raise ValueError(f'the {split} set of the config has no sample.')
    if loader.dataset[0]['data_samples'].get(truth) in (None, ()):
        raise ValueError(f'the {split} set of the config has no {truth}: report on one with annotations (split val?).')
    evaluator.dataset_meta = getattr(loader.dataset, 'metainfo', None)
    if isinstance(model.head, RankingHead):
        settings = {name: value for name, value in (cfg.get(f'{split}_cfg') or {}).items() if name not in ('type', 'fp16')}
        samples = rank_samples(model, loader, size, settings)
    else:
        samples = [sample.cpu() for batch in loader for sample in model.test_step(batch)]
    evaluator.process(data_samples=samples, data_batch=None)
    return loader.dataset, samples, evaluator.evaluate(size)


def _pixels(inputs: torch.Tensor) -> np.ndarray:
    """`(3, H, W)` -> `(H, W, 3)`; of a pair `(2, 3, H, W)` both images side by side."""
    images = inputs if inputs.dim() == 4 else inputs[None]
    return np.concatenate(list(images.permute(0, 2, 3, 1).numpy()), 1)


def _answers(
    model: METERModel,
    samples: list[ImageTextSample],
    pixels: Callable[[int], np.ndarray],
    out_dir: str | os.PathLike,
    num_examples: int,
    num_attention: int,
) -> _Part:
    classes = model.head.classes if isinstance(model.head, SentenceHead) else None
    questions = [answered_question(index, sample, classes) for index, sample in enumerate(samples)]
    content, tables, pictures = report_on_questions(
        questions,
        pixels,
        out_dir,
        num_examples=num_examples,
        num_attention=num_attention if classes is None else 0,
        model=model,
    )
    return _Part(content, pictures, tables)


def _captions(
    samples: list[ImageTextSample], pixels: Callable[[int], np.ndarray], out_dir: str | os.PathLike, num_examples: int
) -> _Part:
    """Captions with their references, of images from everywhere."""
    places = np.linspace(0, len(samples) - 1, min(num_examples, len(samples))).round().astype(int).tolist()
    shown = [CaptionedImage(pixels(place), samples[place].pred_caption, samples[place].captions) for place in places]
    draw_caption_sheet(shown, Path(out_dir, 'pictures/captions.png'))
    examples = [
        {'sample_id': sample.get('sample_id'), 'caption': sample.pred_caption, 'references': list(sample.captions)}
        for sample in (samples[place] for place in places)
    ]
    equal = sum(sample.pred_caption in sample.captions for sample in samples)
    counts = {'equal to a reference': equal, 'empty': sum(not sample.pred_caption for sample in samples)}
    pictures = {'Captions, and what people wrote': ['pictures/captions.png']}
    table = ReportTable('Captions', ['captions', 'number'], [[*item] for item in counts.items()])
    return _Part({'counts': counts, 'examples': examples, 'pictures': pictures}, pictures, [table])
