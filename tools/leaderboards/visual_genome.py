"""AP50 on Visual Genome by VinVL's rules: `python tools/leaderboards/visual_genome.py ANNOTATIONS DETECTIONS [--json FILE]`.

Both files are in COCO's form (the annotations as `florence.VisualGenome` reads them). Attributes need a model run:
`tools/test.py` with `florence.VisualGenomeMetric(num_attributes=...)` gives objects and attributes.
"""

import argparse
import sys

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)

from florence.atomic_files import write_json
from florence.evaluation.functional.coco_annotations import load_annotation_file
from florence.evaluation.leaderboards import read_boxes
from florence.evaluation.leaderboards.visual_genome import NUM_CLASSES, visual_genome_figures
from florence.user_errors import USER_ERRORS, in_words


def main() -> None:
    parser = argparse.ArgumentParser(description='AP50 of a file of detections on Visual Genome.')
    parser.add_argument('annotations', help='annotation file')
    parser.add_argument('detections', help='detections (.json, .zip)')
    parser.add_argument('--json', metavar='FILE', help='write the figures as one JSON object')
    args = parser.parse_args()
    try:
        figures = visual_genome_figures(load_annotation_file(args.annotations), read_boxes(args.detections))
    except USER_ERRORS as error:
        sys.exit(in_words(error))
    print(f'AP50 {figures["AP50"]:.1f}, weighted by objects {figures["weighted_AP50"]:.1f}; published: {figures["published"]}')
    if not figures['is_comparable']:
        print(f'not comparable: {figures["num_classes"]} classes, the published figures are means over {NUM_CLASSES}.')
    if args.json:
        write_json(args.json, figures)


if __name__ == '__main__':
    main()
