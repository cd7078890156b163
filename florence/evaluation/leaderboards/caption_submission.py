"""Captions as their leaderboards want them: COCO's server and NoCaps (arXiv 1812.08658), and scores of a file at home.

Both take a JSON list of `image_id` (int) and `caption` (text) with every image of the split once. COCO's server takes a zip of
`captions_<split>_<algorithm>_results.json` (https://cocodataset.org/#upload), of val2014 and test2014 together; NoCaps' challenge
on EvalAI takes the plain list.
"""

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from florence.atomic_files import atomic_path, write_json
from florence.evaluation.functional.caption_scores import CaptionScoring, choose_metrics, score_tokens, tokenize_groups
from florence.evaluation.functional.cider import DocumentFrequency
from florence.evaluation.functional.ptb_tokenizer import ptb_tokenize
from florence.evaluation.leaderboards.coco_submission import read_results
from florence.evaluation.leaderboards.coverage import coverage_problems
from florence.tasks.json_files import read_json_file, read_json_object, require_fields

DOMAINS = ('in-domain', 'near-domain', 'out-domain')


def read_captions(path: str | Path) -> list[dict]:
    """The entries of a results file, a `.json`, or the one in a `.zip` of the same name; `TaskAnswers` calls captions `answer`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a zip is damaged, or it is no JSON list of objects with `image_id` (int) and `caption` (text).
    """
    content = read_results(path)
    for index, entry in enumerate(content):
        valid = isinstance(entry, dict) and _is_number(entry.get('image_id'))
        if not valid or not isinstance(_caption(entry), str):
            raise ValueError(
                f'{path}: entry {index} must have image_id, a whole number, and caption, a text, it is {repr(entry)[:80]}.'
            )
    return [{'image_id': entry['image_id'], 'caption': _caption(entry)} for entry in content]


def _caption(entry: dict) -> Any:
    return entry.get('caption', entry.get('answer'))


def read_image_ids(path: str | Path) -> list[int]:
    """Ids of the images of a split, from a COCO-format file (`images` with `id`) or a plain list of numbers.

    Raises:
        FileNotFoundError: If there is no such file.
        KeyError: If an object has no `images`, or an image no `id`.
        ValueError: If an id is no whole number, or occurs twice.
    """
    content = _read(path)
    if isinstance(content, dict):
        images = require_fields(content, ['images'], str(path))['images']
        content = [require_fields(image, ['id'], f'{path}: an image')['id'] for image in images]
    if not isinstance(content, list) or not all(map(_is_number, content)):
        raise ValueError(f'{path} must be a COCO-format file with images or a list of whole numbers, the ids of the images.')
    if len(set(content)) < len(content):
        raise ValueError(f'{path} has {len(content) - len(set(content))} image ids twice.')
    return content


def _read(path: str | Path) -> Any:
    if not Path(path).is_file():
        raise FileNotFoundError(f'no file {path}: check the path.')
    return read_json_file(path)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def submission_captions(captions: Sequence[Mapping[str, Any]], image_ids: Sequence[int]) -> list[dict]:
    """One entry per image of the split, in its order.

    Args:
        captions: Of `read_captions`.
        image_ids: Of the split.

    Raises:
        ValueError: If an image is missing, unknown or captioned twice; says how many of each kind.
    """
    problems = coverage_problems([entry['image_id'] for entry in captions], image_ids, 'images')
    if problems:
        raise ValueError(' '.join(problems))
    caption_of = {entry['image_id']: entry['caption'] for entry in captions}
    return [{'image_id': image_id, 'caption': caption_of[image_id]} for image_id in image_ids]


def count_empty(captions: Sequence[Mapping[str, Any]]) -> int:
    """Captions without any character but spaces."""
    return sum(not entry['caption'].strip() for entry in captions)


def caption_submission_name(split: str, algorithm: str) -> str:
    """Name of COCO's results file without its ending, such as `captions_test2014_meter_results`.

    Raises:
        ValueError: If a part is empty or has a character that the server splits names at.
    """
    for what, part in (('split', split), ('algorithm', algorithm)):
        if not re.fullmatch('[A-Za-z0-9.-]+', part):
            raise ValueError(f'{what} is {part!r}: use letters, digits, dots and hyphens only, the server splits names at "_".')
    return f'captions_{split}_{algorithm}_results'


def write_coco_captions(folder: str | Path, algorithm: str, captions_of: Mapping[str, Sequence[Mapping[str, Any]]]) -> Path:
    """Write the zip for COCO's server: named as its one file, or `captions_<algorithm>_results.zip`; returns its path.

    Args:
        folder: To write to.
        algorithm: Name of the method.
        captions_of: Of `submission_captions`, by split.

    Raises:
        ValueError: As `caption_submission_name`.
    """
    names = [caption_submission_name(split, algorithm) for split in captions_of]
    target = Path(folder) / f'{names[0] if len(names) == 1 else f"captions_{algorithm}_results"}.zip'
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, captions in zip(names, captions_of.values()):
            archive.writestr(f'{name}.json', json.dumps(list(captions)))
    return target


def write_nocaps_captions(folder: str | Path, split: str, algorithm: str, captions: Sequence[Mapping[str, Any]]) -> Path:
    """Write `nocaps_<split>_<algorithm>_results.json` for EvalAI, which takes any name; returns its path.

    Raises:
        ValueError: As `caption_submission_name`.
    """
    target = Path(folder) / f'{caption_submission_name(split, algorithm).replace("captions", "nocaps", 1)}.json'
    write_json(target, list(captions))
    return target


def read_references(path: str | Path) -> tuple[dict[int, list[str]], dict[int, str]]:
    """References of a COCO-format file by image, in its order, and the domain of those that have one (NoCaps).

    Raises:
        FileNotFoundError: If there is no such file.
        KeyError: If a field is missing.
        ValueError: If a reference is no text or of an image that the file does not list, or an image has none.
    """
    image_ids = read_image_ids(path)
    content = read_json_object(path, 'images', 'annotations')
    references: dict[int, list[str]] = {image_id: [] for image_id in image_ids}
    for entry in content['annotations']:
        require_fields(entry, ['image_id', 'caption'], f'{path}: an annotation')
        if entry['image_id'] not in references:
            raise ValueError(f'{path}: an annotation is of image {entry["image_id"]!r}, which is not in images.')
        if not isinstance(entry['caption'], str):
            raise ValueError(f'{path}: a caption of image {entry["image_id"]} is {entry["caption"]!r}, expected a text.')
        references[entry['image_id']].append(entry['caption'])
    without = [image_id for image_id, own in references.items() if not own]
    if without:
        raise ValueError(f'{path}: {len(without)} images have no caption, e.g. {without[0]}: is it a file of a test set?')
    return references, {image['id']: image['domain'] for image in content['images'] if image.get('domain')}


def score_captions(
    captions: Sequence[Mapping[str, Any]],
    references: Mapping[int, Sequence[str]],
    domains: Mapping[int, str] | None = None,
    *,
    metrics: Sequence[str] | None = None,
    document_frequency: DocumentFrequency | None = None,
) -> dict[str, CaptionScoring]:
    """Scores of a results file: of all images under `'all'`, and of each domain on its own.

    A domain is scored as if its images were the whole data set, idf included, as evaluations of NoCaps' splits do.

    Args:
        captions: Of `read_captions`.
        references, domains: Of `read_references`.
        metrics, document_frequency: As for `caption_scores`.

    Raises:
        ValueError: If there is no image, one is missing, unknown or captioned twice, or a domain is not one of `DOMAINS`.
    """
    unknown = sorted(set((domains or {}).values()) - set(DOMAINS))
    if unknown:
        raise ValueError(f'domains are {", ".join(DOMAINS)}; the file has {", ".join(map(repr, unknown))}.')
    if not references:
        raise ValueError('no image is left to score: are the results those of the images of the references?')
    chosen = choose_metrics(metrics)
    entries = submission_captions(captions, list(references))
    hypotheses = ptb_tokenize([entry['caption'] for entry in entries])
    tokens = tokenize_groups(list(references.values()))
    groups = {'all': range(len(entries))} | {
        domain: [place for place, image_id in enumerate(references) if (domains or {}).get(image_id) == domain]
        for domain in DOMAINS
    }
    return {
        group: score_tokens([hypotheses[place] for place in own], [tokens[place] for place in own], chosen, document_frequency)
        for group, own in groups.items()
        if own
    }
