"""Picture of what retrieval finds: `python tools/analysis_tools/retrieval_gallery.py CONFIG CHECKPOINT OUT.png [--dataset NAME]`.

Rows of text queries with the images found for them, and of image queries with the captions found, right ones framed green.
"""

import argparse
import sys

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)
import torch

from florence.apis.retrieval import embed_dataset
from florence.apis.two_tower_loading import load_two_tower
from florence.engine.cfg_options import add_cfg_options
from florence.engine.config_files import load_config
from florence.visualization import draw_retrieval_gallery, search_images, search_texts


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw a gallery of retrieval results.')
    parser.add_argument('config', help='config of a two-tower model with a retrieval data set in test_dataloader')
    parser.add_argument('checkpoint', help='weights')
    parser.add_argument('out', help='picture to write')
    parser.add_argument('--dataset', default='retrieval', help='name of the data set in test_dataloader')
    parser.add_argument('--num-queries', type=int, default=6, help='queries of each direction')
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        cfg = load_config(args.config, args.cfg_options)
        if args.dataset not in cfg.test_dataloader:
            raise KeyError(f'test_dataloader has {list(cfg.test_dataloader)}, not {args.dataset!r}: choose one with --dataset.')
        model = load_two_tower(cfg, args.checkpoint)
    except (FileNotFoundError, KeyError, ValueError) as error:
        sys.exit(f'error: {error.args[0]}')
    found = embed_dataset(model, cfg.test_dataloader[args.dataset])
    # Queries spread over the whole set, the same on every run.
    chosen = torch.linspace(0, len(found.images) - 1, args.num_queries).long().tolist()
    queries = [
        search_images(found.captions[i][0], found.text_embeds[i][0], found.images, found.image_embeds, found.captions)
        for i in chosen
    ]
    texts = [text for group in found.captions for text in group]
    text_embeds = torch.cat(found.text_embeds)
    queries += [search_texts(found.images[i], found.image_embeds[i], found.captions[i], texts, text_embeds) for i in chosen]
    draw_retrieval_gallery(queries, args.out)


if __name__ == '__main__':
    main()
