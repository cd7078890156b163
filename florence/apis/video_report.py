"""A visual report on videos: figures, film strips with the most probable classes, or a gallery of retrieval."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from florence.apis.action_inferencer import class_probabilities, model_kind, read_video_config
from florence.apis.model_loading import build_model, load_weights, usable_device
from florence.apis.video_inputs import LazyPictures, frames_of, strip_frames
from florence.atomic_files import write_json
from florence.visualization import (
    ClassifiedClip,
    draw_film_strips,
    draw_retrieval_gallery,
    film_grid,
    search_images,
    search_texts,
)
from florence.visualization.report_page import ReportTable, write_report_page

TOP = 5
SHOWN_CONFUSIONS = 10
Part = tuple[dict[str, Any], list[ReportTable], dict[str, list[str]]]
"""What is added to `report.json`, tables, and pictures by heading."""


@torch.no_grad()
def make_video_report(
    cfg: Config, checkpoint: str, out_dir: str | os.PathLike, *, split: str = 'test', device: str = 'cpu', num_examples: int = 8
) -> dict[str, Any]:
    """Write `report.json`, pictures and `index.html`; the page last, so that it is there only if all is.

    Args:
        cfg: Config of `VideoTwoTower` with captions or classes, or of a recogniser of mmaction2.
        checkpoint: Weights.
        out_dir: Folder to write to.
        split: 'test' or 'val': which data and metrics of the config.
        device: Where the model runs.
        num_examples: Examples of each kind that are drawn.

    Returns:
        What `report.json` holds.

    Raises:
        FileNotFoundError: If the checkpoint is missing.
        ValueError: If the config has no such set or no ground truth, the checkpoint is that of another model, or an argument is
            out of range.
    """
    if num_examples < 1 or split not in ('val', 'test'):
        raise ValueError(f"expected 1 or more examples and split 'val' or 'test', got {num_examples} and {split!r}.")
    is_text = model_kind(read_video_config(cfg)) == 'VideoTwoTower'
    scope = cfg.get('default_scope') or ('florence' if is_text else 'mmaction')
    loader, evaluator = _data(cfg, split, scope)
    model = build_model(cfg, scope)
    load_weights(model, checkpoint)
    model.to(usable_device(device)).eval()
    with DefaultScope.overwrite_default_scope(scope):
        samples = [sample.cpu() for batch in loader for sample in model.test_step(batch)]
        evaluator.process(data_samples=samples, data_batch=None)
        figures = evaluator.evaluate(len(loader.dataset))

        def frames(index: int) -> np.ndarray:
            return frames_of(loader.dataset[index]['inputs'], is_text=is_text)

        if 'captions' in samples[0]:
            content, tables, pictures = _retrieval(samples, frames, out_dir, num_examples)
        else:
            names = samples[0].get('classes') or (getattr(loader.dataset, 'metainfo', None) or {}).get('classes')
            content, tables, pictures = _classes(model, samples, names, frames, out_dir, num_examples)
    report = {'split': split, 'num_videos': len(samples), 'figures': figures, 'pictures': pictures, **content}
    write_json(Path(out_dir, 'report.json'), report)
    first = ReportTable('Figures', ['figure', 'value'], [[name, value] for name, value in figures.items()])
    write_report_page(Path(out_dir, 'index.html'), 'Report on videos', [first, *tables], pictures)
    return report


def _data(cfg: Config, split: str, scope: str) -> tuple[Any, Evaluator]:
    """The loader of a split, in the order of its data, and its metrics."""
    loader_cfg, evaluator_cfg = cfg.get(f'{split}_dataloader'), cfg.get(f'{split}_evaluator')
    if not loader_cfg or 'dataset' not in loader_cfg or not evaluator_cfg:
        raise ValueError(f'the config needs one {split}_dataloader with a data set, and a {split}_evaluator, to report on.')
    with DefaultScope.overwrite_default_scope(scope):
        in_order = dict(type='DefaultSampler', shuffle=False)
        loader = Runner.build_dataloader({**loader_cfg, 'sampler': in_order, 'drop_last': False}, seed=0)
        evaluator = Evaluator(evaluator_cfg)
    if not len(loader.dataset):
        raise ValueError(f'the {split} set of the config has no video.')
    if not {'captions', 'gt_label'} & set(loader.dataset[0]['data_samples'].keys()):
        raise ValueError(f'the {split} set of the config has neither captions nor labels: report on one with annotations.')
    evaluator.dataset_meta = getattr(loader.dataset, 'metainfo', None)
    return loader, evaluator


def _retrieval(
    samples: Sequence[Any], frames: Callable[[int], np.ndarray], out_dir: str | os.PathLike, num_examples: int
) -> Part:
    """What texts find among the videos and videos among the texts; queries from everywhere."""
    places = np.linspace(0, len(samples) - 1, min(num_examples, len(samples))).round().astype(int).tolist()
    captions = [tuple(sample.captions) for sample in samples]
    texts = [text for own in captions for text in own]
    videos, text_embeds = torch.stack([s.image_embeds for s in samples]), torch.cat([s.text_embeds for s in samples])
    pictures = LazyPictures(lambda index: film_grid(frames(index)), len(samples))
    firsts = [sample.text_embeds[0] for sample in samples]
    queries: list[Any] = [search_images(captions[i][0], firsts[i], pictures, videos, captions) for i in places]
    queries += [search_texts(pictures[i], videos[i], captions[i], texts, text_embeds) for i in places]
    draw_retrieval_gallery(queries, Path(out_dir, 'pictures/retrieval.png'), found='video')
    right = sum(query.found[0].is_right is True for query in queries)
    content = {'task': 'text-video retrieval', 'num_texts': len(texts), 'shown_queries': len(queries), 'shown_right': right}
    return content, [], {'What texts and videos find': ['pictures/retrieval.png']}


def _classes(
    model: torch.nn.Module,
    samples: Sequence[Any],
    names: Sequence[str] | None,
    frames: Callable[[int], np.ndarray],
    out_dir: str | os.PathLike,
    num_examples: int,
) -> Part:
    """Film strips of right and wrong guesses, and what is taken for what."""
    probabilities = torch.stack([class_probabilities(model, sample) for sample in samples])  # (N, C)
    labels = [int(sample.gt_label) for sample in samples]
    names = _distinct_names(names, labels, probabilities.shape[1])
    guesses = probabilities.argmax(1).tolist()
    are_right = [guess == label for guess, label in zip(guesses, labels, strict=True)]
    pictures: dict[str, list[str]] = {}
    for kind, heading in ((True, 'Right'), (False, 'Wrong')):
        of_kind = [index for index, is_right in enumerate(are_right) if is_right is kind]
        if not of_kind:
            continue
        spread = np.linspace(0, len(of_kind) - 1, min(num_examples, len(of_kind))).round().astype(int)
        shown = [_strip(samples[of_kind[i]], probabilities[of_kind[i]], names, frames(of_kind[i])) for i in spread]
        draw_film_strips(shown, Path(out_dir, f'pictures/{heading.lower()}.png'))
        pictures[f'{heading}: {len(of_kind)} of {len(samples)}'] = [f'pictures/{heading.lower()}.png']
    totals, hits = Counter(labels), Counter(label for label, is_right in zip(labels, are_right, strict=True) if is_right)
    shares = [[names[label], 100 * hits[label] / total, total] for label, total in sorted(totals.items())]
    pairs = Counter((names[t], names[g]) for t, g in zip(labels, guesses, strict=True) if t != g)
    rows = [[*pair, count] for pair, count in pairs.most_common(SHOWN_CONFUSIONS)]
    tables = [
        ReportTable('By class', ['class', 'right, %', 'videos'], shares),
        ReportTable('Taken for one another', ['true', 'taken for', 'videos'], rows),
    ]
    by_class = {name: share for name, share, _ in shares}
    return {'task': 'action recognition', 'by_class': by_class, 'confusions': rows}, tables, pictures


def _distinct_names(names: Sequence[str] | None, labels: Sequence[int], num_classes: int) -> list[str]:
    """A name for each class of the model; classes of one name are told apart by their numbers.

    Raises:
        ValueError: If there are not as many names as classes, or a label is none of the classes.
    """
    names = list(names or map(str, range(num_classes)))
    if len(names) != num_classes:
        raise ValueError(
            f'the model tells {num_classes} classes, the data set names {len(names)}: give the names of all by classes=.'
        )
    strange = next((label for label in labels if not 0 <= label < num_classes), None)
    if strange is not None:
        raise ValueError(f'a video has the label {strange}, the model tells {num_classes} classes, from 0 on.')
    count = Counter(names)
    return [f'{name} ({index})' if count[name] > 1 else name for index, name in enumerate(names)]


def _strip(sample: Any, probabilities: torch.Tensor, names: Sequence[str], frames: np.ndarray) -> ClassifiedClip:
    best, order = probabilities.topk(min(TOP, len(names)))
    title = str(sample.get('sample_id') or sample.get('filename') or '')
    return ClassifiedClip(
        strip_frames(frames), [names[i] for i in order.tolist()], best.tolist(), names[int(sample.gt_label)], title
    )
