"""A detection config pointed at the files of one ODinW set: its images, its class names, its number of classes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from florence.atomic_files import write_json
from florence.tasks.odinw_folders import SplitFiles

ZERO_SHOT_MODEL = 'ZeroShotDetector'
SCORING_ENTRIES = ('score_fusion', 'region_encoder', 'templates', 'background_names', 'test_cfg')


def without_placeholders(files: SplitFiles, folder: str | Path) -> SplitFiles:
    """The same split with a copy of the annotation file that lists its classes alone, ids unchanged.

    Roboflow's exports list the group of all classes as a category, often by the name of a class, which no data set can tell
    apart.

    Args:
        files: A split.
        folder: Where the copy goes.
    """
    content = json.loads(files.ann_file.read_text(encoding='utf-8'))
    used = {annotation['category_id'] for annotation in content['annotations']}
    kept: dict[str, dict] = {}
    # Of two categories of one name the one with boxes is the class.
    for category in sorted(content['categories'], key=lambda entry: (entry['id'] in used, entry['id'])):
        kept[category['name']] = category
    content['categories'] = sorted((kept[name] for name in files.classes), key=lambda category: category['id'])
    target = Path(folder, f'{files.ann_file.parent.name}_{files.ann_file.name}')
    write_json(target, content)
    return replace(files, ann_file=target)


def is_zero_shot(cfg: Config) -> bool:
    """Whether the model of a config takes its classes by name."""
    return str(cfg.model.type).rpartition('.')[2] == ZERO_SHOT_MODEL


def use_classes(cfg: Config, classes: Sequence[str], prompts: Mapping[str, str]) -> None:
    """Tell the model its classes: by name and prompt, or by their number.

    Args:
        cfg: Config of a detector; changed in place.
        classes: Names of the labels.
        prompts: What a zero-shot model reads instead of a name.
    """
    if is_zero_shot(cfg):
        cfg.model.classes = list(classes)
        cfg.model.name_overrides = dict(prompts)
    else:
        _set_num_classes(cfg.model, len(classes))


def _set_num_classes(node: Any, count: int) -> None:
    """Set every `num_classes` but that of a class-agnostic proposal head."""
    if isinstance(node, dict):
        if 'num_classes' in node:
            node['num_classes'] = count
        for key, child in node.items():
            if key != 'rpn_head':
                _set_num_classes(child, count)
    elif isinstance(node, list | tuple):
        for child in node:
            _set_num_classes(child, count)


def evaluate_on(cfg: Config, files: SplitFiles, outfile_prefix: str) -> None:
    """Evaluate on a split with COCO's metric, which also writes the detections to `<outfile_prefix>.bbox.json`.

    Args:
        cfg: Config with a `test_dataloader`; changed in place.
        files: The split.
        outfile_prefix: Where the detections go.

    Raises:
        ValueError: If the config has no test pipeline.
    """
    if not cfg.get('test_dataloader') or 'dataset' not in cfg.test_dataloader:
        raise ValueError('the config needs one test_dataloader, whose pipeline is used for every set.')
    cfg.test_dataloader.dataset = _dataset(files, _pipeline(cfg.test_dataloader.dataset), test_mode=True)
    cfg.test_evaluator = ConfigDict(
        type='florence.CocoDetectionMetric', ann_file=str(files.ann_file), outfile_prefix=outfile_prefix
    )
    cfg.setdefault('test_cfg', ConfigDict(type='TestLoop'))


def train_on(cfg: Config, files: SplitFiles, few_shot: Mapping[str, int] | None = None) -> None:
    """Train on a split, without validation: the last checkpoint is the result.

    Args:
        cfg: Config of a training; changed in place.
        files: The split.
        few_shot: `shots` and `seed`, where images are to be drawn from the split.

    Raises:
        ValueError: If the config has no training pipeline.
    """
    if not cfg.get('train_dataloader') or 'dataset' not in cfg.train_dataloader:
        raise ValueError('the config needs one train_dataloader, whose pipeline is used for every set.')
    dataset = _dataset(files, _pipeline(cfg.train_dataloader.dataset), filter_empty=True)
    cfg.train_dataloader.dataset = ConfigDict({**dataset, **(few_shot or {})})
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.get('default_hooks', {}).get('checkpoint', {}).pop('save_best', None)


def _dataset(files: SplitFiles, pipeline: Sequence[dict], **options: Any) -> ConfigDict:
    return ConfigDict(
        type='florence.CocoDetection',
        ann_file=str(files.ann_file.resolve()),
        img_prefix=str(files.img_dir.resolve()),
        classes=list(files.classes),
        pipeline=pipeline,
        **options,
    )


def _pipeline(dataset: ConfigDict) -> list[dict]:
    """The pipeline of a data set or of the one inside its wrappers, with a step that reads the image file."""
    while 'pipeline' not in dataset:
        if 'dataset' not in dataset:
            raise ValueError(f'the data set {dataset.get("type")!r} of the config has no pipeline to use.')
        dataset = dataset.dataset
    steps = list(dataset.pipeline)
    # Data sets that render their images need no such step.
    has_reader = any(str(step['type']).rpartition('.')[2].startswith('LoadImage') for step in steps)
    return steps if has_reader else [ConfigDict(type='LoadImageFromFile'), *steps]


def scoring_of(cfg: Config) -> dict[str, Any]:
    """The settings of a zero-shot model that its figures depend on; empty for other models."""
    model = cfg.to_dict()['model']
    return {key: model[key] for key in SCORING_ENTRIES if key in model} if is_zero_shot(cfg) else {}
