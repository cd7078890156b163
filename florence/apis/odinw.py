"""ODinW and the eleven sets of Florence's Table 7: every set that is found is evaluated, or trained on and evaluated.

Zero-shot: one checkpoint, the class names of each set (arXiv 2111.11432, section 3.6). Full: training on the set's train split by
the config, then its last checkpoint. Few-shot: the same on GLIP's few-shot splits with the seeds 3, 30 and 300, or, where a set
lacks those files, on images drawn by GLIP's rule; the result says which.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import barrier, is_main_process
from mmengine.logging import print_log

from florence.apis.model_loading import require_file, use_whole_checkpoint
from florence.apis.odinw_config import evaluate_on, is_zero_shot, scoring_of, train_on, use_classes, without_placeholders
from florence.engine.checkpoint_files import latest_checkpoint
from florence.engine.config_files import load_config
from florence.engine.launch import build_runner, prepare_distributed
from florence.evaluation.leaderboards.odinw_submission import write_odinw_submission
from florence.evaluation.leaderboards.odinw_table import write_odinw_table
from florence.tasks.detection_prompts import detection_prompts
from florence.tasks.odinw import FEW_SHOT_SEEDS, OdinwSet, sets_of
from florence.tasks.odinw_folders import SplitFiles, find_few_shot, find_split

TRAINING_ENTRIES = (
    'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler', 'val_dataloader', 'val_evaluator', 'val_cfg',
)  # fmt: skip


@dataclass(frozen=True)
class OdinwRun:
    """How all sets of a group are run.

    Attributes:
        root: Folder of the sets.
        config: Detection config.
        checkpoint: Weights; for full and few-shot those that training starts from, None: those of the config.
        group: 'florence11', 'odinw13' or 'odinw35'.
        split: 'test' as in Florence, 'valid', 'mini_val', or 'glip' for the one that GLIP reports.
        mode: 'zero-shot', 'full' or 'few-shot'.
        work_dir: Folder for everything that is written.
        prompt_set: Id of the prompts, see `florence.tasks.detection_prompts`.
        shots: Images of each class of few-shot.
        cfg_options: Overrides of the config.
        launcher: How the ranks were started.
    """

    root: str
    config: str
    checkpoint: str | None
    group: str
    work_dir: str
    split: str = 'test'
    mode: str = 'zero-shot'
    prompt_set: str = 'readable'
    shots: int = 5
    cfg_options: Mapping[str, Any] = field(default_factory=dict)
    launcher: str = 'none'


def run_odinw(run: OdinwRun) -> dict[str, Any]:
    """Run every set of the group that is below the root; writes `odinw.json`, `odinw.md` and `submission.json` after each.

    Returns:
        The table, as `odinw_table` gives it; sets that were not found are listed in `missing`.

    Raises:
        FileNotFoundError: If config or checkpoint are missing, none of the sets is there, or a set lacks a split.
        ValueError: If mode and model or model and checkpoint do not fit, or a set is broken.
    """
    cfg = load_config(run.config, run.cfg_options)
    if run.mode == 'zero-shot' and not is_zero_shot(cfg):
        raise ValueError(f'--mode zero-shot needs a florence.ZeroShotDetector, the model of {run.config} is {cfg.model.type}.')
    if run.mode == 'zero-shot' and run.checkpoint is None:
        raise ValueError('--mode zero-shot needs a checkpoint.')
    if run.checkpoint:
        require_file(run.checkpoint)
    found = {each: find_split(run.root, each, run.split) for each in sets_of(run.group)}
    present = {each: files for each, files in found.items() if files is not None}
    if not present:
        example = sets_of(run.group)[0].folder
        raise FileNotFoundError(f'none of the {len(found)} sets of {run.group} lies below {run.root}, e.g. {example}.')
    # Hours of training on other sets come before a set's turn.
    for each, files in present.items():
        for train in _training_sets(run, each):
            _require_classes(train.files, files)
    _say(f'{len(present)} of the {len(found)} sets of {run.group} found; not there: {_names(set(found) - set(present))}')
    figures: dict[str, dict] = {}
    detections: dict[str, Any] = {}
    for each, files in present.items():
        figures[each.name], detections[each.name] = _run_set(run, each, files)
        if is_main_process():
            table = write_odinw_table(figures, run.group, run.mode, _settings(run, cfg), run.work_dir)
            write_odinw_submission(Path(run.work_dir, 'submission.json'), detections)
    return table if is_main_process() else {}


def _run_set(run: OdinwRun, odinw_set: OdinwSet, files: SplitFiles) -> tuple[dict, Any]:
    """Figures and detections of one set."""
    if len(files.classes) != odinw_set.num_classes:
        _say(f'{odinw_set.name}: {files.ann_file} has {len(files.classes)} classes, expected {odinw_set.num_classes}')
    prompts = detection_prompts(odinw_set.name, files.classes, run.prompt_set) if run.mode == 'zero-shot' else {}
    about = {
        'num_images': files.num_images,
        'classes': list(files.classes),
        'prompts': prompts,
    }
    folder = Path(run.work_dir, odinw_set.name)
    if run.mode == 'zero-shot':
        assert run.checkpoint is not None, 'run_odinw saw to it'
        metrics, records = _evaluate(run, files, prompts, folder, run.checkpoint)
        return {**about, **metrics}, records
    by_seed, records_by_seed, source = {}, {}, {}
    for train in _training_sets(run, odinw_set):
        if run.mode == 'full':
            metrics, records = _train_and_evaluate(run, train, files, folder)
            return {**about, **metrics}, records
        seed = str(train.seed)
        source[seed] = 'drawn' if train.draw else 'file'
        metrics, records_by_seed[seed] = _train_and_evaluate(run, train, files, folder / f'seed{seed}')
        by_seed[seed] = metrics['AP']
    return {**about, 'AP_by_seed': by_seed, 'few_shot_source': source}, records_by_seed


@dataclass(frozen=True)
class _TrainingSet:
    """What a training is on; `draw` says which images of the split, None = all."""

    files: SplitFiles
    seed: int | None = None
    draw: dict[str, int] | None = None


def _training_sets(run: OdinwRun, odinw_set: OdinwSet) -> list[_TrainingSet]:
    """None for zero-shot, the train split for full training, one per seed for few-shot."""
    if run.mode == 'zero-shot':
        return []
    if run.mode == 'full':
        return [_TrainingSet(_train_split(run, odinw_set))]
    sets = []
    for seed in FEW_SHOT_SEEDS:
        files = find_few_shot(run.root, odinw_set, run.shots, seed)
        draw = None if files else {'shots': run.shots, 'seed': seed}
        sets.append(_TrainingSet(files or _train_split(run, odinw_set), seed, draw))
    return sets


def _train_split(run: OdinwRun, odinw_set: OdinwSet) -> SplitFiles:
    files = find_split(run.root, odinw_set, 'train')
    assert files is not None, 'the set is there'
    return files


def _require_classes(train: SplitFiles, test: SplitFiles) -> None:
    missing = sorted(set(test.classes) - set(train.classes))
    if missing:
        raise ValueError(f'{train.ann_file} lacks the class {missing[0]!r} of {test.ann_file}: training needs all classes.')


def _train_and_evaluate(run: OdinwRun, train: _TrainingSet, test: SplitFiles, folder: Path) -> tuple[dict, list]:
    cfg = _config(run, test.classes, {}, folder / 'training')
    files = without_placeholders(train.files, folder / 'annotations')
    train_on(cfg, SplitFiles(files.ann_file, files.img_dir, test.classes, files.num_images), train.draw)
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    if run.checkpoint:
        cfg.load_from = run.checkpoint
    build_runner(cfg).train()
    # The main process writes the checkpoint that all evaluate.
    barrier()
    trained = latest_checkpoint(cfg.work_dir, _say)
    if trained is None:
        raise ValueError(f'the training left no checkpoint in {cfg.work_dir}: the config needs a CheckpointHook.')
    return _evaluate(run, test, {}, folder, str(trained))


def _evaluate(run: OdinwRun, files: SplitFiles, prompts: Mapping[str, str], folder: Path, checkpoint: str) -> tuple[dict, list]:
    """Metrics in percent and the detections."""
    cfg = _config(run, files.classes, prompts, folder / 'evaluation')
    for key in TRAINING_ENTRIES:
        cfg[key] = None
    prefix = folder / 'detections'
    evaluate_on(cfg, without_placeholders(files, folder / 'annotations'), str(prefix))
    use_whole_checkpoint(cfg, checkpoint)
    metrics = build_runner(cfg).test()
    names = {'AP': 'coco/bbox_mAP', 'AP50': 'coco/bbox_mAP_50', 'AP75': 'coco/bbox_mAP_75'}
    records = json.loads(Path(f'{prefix}.bbox.json').read_text()) if is_main_process() else []
    return {name: 100 * metrics[key] for name, key in names.items()}, records


def _config(run: OdinwRun, classes: tuple[str, ...], prompts: Mapping[str, str], work_dir: Path) -> Config:
    cfg = load_config(run.config, run.cfg_options)
    prepare_distributed(cfg, run.launcher)
    use_classes(cfg, classes, prompts)
    cfg.work_dir = str(work_dir)
    # Loggers and message hubs are shared by name.
    cfg.experiment_name = str(work_dir.resolve()).replace('/', '_')
    return cfg


def _settings(run: OdinwRun, cfg: Config) -> dict[str, Any]:
    settings: dict[str, Any] = dict(config=run.config, checkpoint=run.checkpoint, split=run.split, scoring=scoring_of(cfg))
    if run.mode == 'zero-shot':
        settings['prompt_set'] = run.prompt_set
    if run.mode == 'few-shot':
        settings |= {'shots': run.shots, 'seeds': list(FEW_SHOT_SEEDS)}
    return settings


def _names(sets: set[OdinwSet]) -> str:
    return ', '.join(sorted(each.name for each in sets)) or 'none'


def _say(message: str) -> None:
    print_log(message, logger='current')
