"""Score captions against references, as the official COCO evaluation does, without Java.

    python tools/analysis_tools/caption_scores.py RESULTS.json captions_val2017.json --json scores.json

RESULTS.json is a list of `image_id` and `caption`; the references are a COCO-format file with `images` and `annotations`. Scores
are the official ones times 100; each domain of NoCaps is scored on its own, too. METEOR and SPICE run where Java, pycocoevalcap
and its files are found and `--metrics` names them.
"""

import argparse
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)

from florence.atomic_files import write_json
from florence.evaluation.functional.caption_scores import METRICS, CaptionScoring, tokenize_groups
from florence.evaluation.functional.cider import DocumentFrequency
from florence.evaluation.leaderboards.caption_submission import read_captions, read_references, score_captions
from florence.user_errors import USER_ERRORS, in_words


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Score captions against references, as the official COCO evaluation does.')
    parser.add_argument('results', help='JSON list of image_id and caption')
    parser.add_argument('references', help='COCO-format captions_*.json')
    parser.add_argument('--subset', action='store_true', help='score the images of the results only, not all of the references')
    parser.add_argument('--metrics', nargs='+', default=['bleu', 'rouge_l', 'cider'], metavar='NAME', help=', '.join(METRICS))
    parser.add_argument('--document-frequency', metavar='FILE', help='idf of CIDEr from another corpus')
    parser.add_argument('--write-document-frequency', metavar='FILE', help='write that of these references, all of them')
    parser.add_argument('--per-image', action='store_true', help='add the scores of each image to --json')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the scores here')
    return parser.parse_args()


def run(args: argparse.Namespace) -> dict:
    """Score, and give what goes to the JSON file."""
    if args.per_image and not args.json:
        raise ValueError('--per-image adds to the file of --json: give one.')
    captions = read_captions(args.results)
    references, domains = read_references(args.references)
    if args.write_document_frequency:
        DocumentFrequency.of(tokenize_groups(list(references.values()))).write(args.write_document_frequency)
        print(f'wrote the document frequencies of {len(references)} images to {args.write_document_frequency}.')
    if args.subset:
        given = {entry['image_id'] for entry in captions}
        print(f'scoring {len(given & set(references))} of {len(references)} images.')
        references = {image_id: own for image_id, own in references.items() if image_id in given}
    given_frequency = DocumentFrequency.read(args.document_frequency) if args.document_frequency else None
    scores = score_captions(captions, references, domains, metrics=args.metrics, document_frequency=given_frequency)
    for group, scoring in scores.items():
        print(f'{group}: ' + ', '.join(f'{name} {100 * score:.2f}' for name, score in scoring.corpus.items()))
    report = {group: figures(scoring) for group, scoring in scores.items()}
    if args.per_image:
        columns = scores['all'].per_image
        report['per_image'] = {
            str(image_id): {name: 100 * float(column[place]) for name, column in columns.items()}
            for place, image_id in enumerate(references)
        }
    return report


def figures(scoring: CaptionScoring) -> dict:
    """Scores times 100 of a group, its images and its empty captions."""
    images = len(next(iter(scoring.per_image.values())))
    return {name: 100 * score for name, score in scoring.corpus.items()} | {'images': images, 'empty': scoring.num_empty}


def main() -> None:
    args = parse_args()
    try:
        report = run(args)
    except USER_ERRORS as error:
        sys.exit(in_words(error))
    if args.json:
        write_json(args.json, report)


if __name__ == '__main__':
    main()
