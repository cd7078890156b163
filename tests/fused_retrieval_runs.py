"""An evaluation of the tiny ranking model, alone or as one of several gloo ranks: FOLDER; writes FOLDER/figures<rank>.json."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from tiny_ranking import TinyRetrievalSet, collate, tiny_ranker
from torch.utils.data import DataLoader

from florence.engine.loops import FusedRetrievalTestLoop, FusedRetrievalValLoop
from florence.evaluation.metrics import FusedRetrieval


def run(stage='val', model=None, evaluator=None, collect_dir=None, dataset=None, **settings):
    """Metrics of one evaluation; two images at a time."""
    torch.manual_seed(0)
    model = tiny_ranker() if model is None else model
    dataset = TinyRetrievalSet() if dataset is None else dataset
    loader = DataLoader(dataset, 2, sampler=DefaultSampler(dataset, shuffle=False, seed=0), collate_fn=collate)
    hooks = []
    runner = SimpleNamespace(
        model=model,
        hooks=hooks,
        call_hook=lambda name, **kwargs: hooks.append(name),
        logger=MMLogger.get_instance('fused_retrieval_runs'),
        visualizer=SimpleNamespace(dataset_meta=None),
    )
    metric = FusedRetrieval(ks=(1, 2, 3), collect_dir=collect_dir)
    evaluator = Evaluator([metric]) if evaluator is None else evaluator
    loop = {'val': FusedRetrievalValLoop, 'test': FusedRetrievalTestLoop}[stage](runner, loader, evaluator, **settings)
    return loop.run(), runner


if __name__ == '__main__':
    torch.distributed.init_process_group('gloo')
    folder = Path(sys.argv[1])
    figures = {}
    for top_k in (2, None):
        metrics, _ = run(top_k=top_k, collect_dir=str(folder / f'collect{top_k}'))
        figures[str(top_k)] = metrics
    (folder / f'figures{torch.distributed.get_rank()}.json').write_text(json.dumps(figures))
    torch.distributed.destroy_process_group()
