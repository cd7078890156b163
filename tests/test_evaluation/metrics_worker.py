"""One rank of `test_metrics.py`: RANK WORLD_SIZE FOLDER; writes its figures to FOLDER/figures<rank>.json."""

import json
import sys
from pathlib import Path

import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator

from florence.registry import METRICS
from florence.structures import ImageTextSample

SIZE, CLASSES = 13, 6
CONFIGS = (
    {'type': 'ZeroShotAccuracy', 'topk': (1, 2)},
    {'type': 'MultiLabelAP'},
    {'type': 'ImageTextRetrieval', 'ks': (1, 2, 5), 'chunk_size': 4},
)


def evaluate(folder: Path) -> dict[str, float]:
    """Figures of all metrics on seeded predictions, of which this rank processes its share."""
    generator = torch.Generator().manual_seed(0)
    images = torch.nn.functional.normalize(torch.randn(SIZE, 8, generator=generator), dim=1)
    texts = torch.nn.functional.normalize(torch.randn(SIZE, 2, 8, generator=generator), dim=2)
    figures = {}
    for config in CONFIGS:
        evaluator = Evaluator([METRICS.build({**config, 'collect_dir': str(folder / config['type'])})])
        for index in DefaultSampler(range(SIZE), shuffle=False, seed=0):
            sample = ImageTextSample(metainfo={'sample_id': str(index)})
            sample.set_data(
                {
                    'pred_scores': images[index, :CLASSES],
                    'gt_label': index % CLASSES,
                    'gt_labels': (index % 4, 5),
                    'image_embeds': images[index],
                    'text_embeds': texts[index],
                    'captions': (f'{index}a', f'text {index % 5}'),
                }
            )
            evaluator.process([sample])
        figures.update(evaluator.evaluate(SIZE))
    return figures


if __name__ == '__main__':
    rank, world_size, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/meeting', rank=rank, world_size=world_size)
    (folder / f'figures{rank}.json').write_text(json.dumps(evaluate(folder)))
    torch.distributed.destroy_process_group()
