"""Captions of videos from the files that text-video retrieval is measured with.

Every reader gives the captions of each video, in the order of the file, under the video's name in the annotation.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from florence.datasets.record_readers import read_json, read_table

Captions = dict[str, list[str]]


def _json(file: str) -> object:
    try:
        return json.loads(Path(file).read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise ValueError(f'{file} is not valid JSON: {error}') from error


def read_caption_dict(file: str) -> Captions:
    """mmaction2's form: one JSON object, `{file: [captions]}`; one caption may stand without brackets.

    Raises:
        ValueError: If it is something else.
    """
    captions = _json(file)
    if not isinstance(captions, dict) or not all(isinstance(own, str | list) for own in captions.values()):
        raise ValueError(f'{file} must hold one object, {{"video file": ["caption", ...]}}')
    return {video: [own] if isinstance(own, str) else own for video, own in captions.items()}


def read_msrvtt_csv(file: str) -> Captions:
    """MSR-VTT, test set 1kA (JSFusion, arXiv 1808.02559): `key,vid_key,video_id,sentence`, one sentence of a video a line.

    Raises:
        KeyError: If a column is missing.
    """
    captions = defaultdict(list)
    for record in read_table(file, delimiter=',', quoting=csv.QUOTE_MINIMAL):
        for column in ('video_id', 'sentence'):
            if column not in record:
                raise KeyError(f'{file} has no column {column!r}, found {", ".join(record)}')
        captions[record['video_id']].append(record['sentence'])
    return dict(captions)


def read_msrvtt_json(file: str, split: str | None = None) -> Captions:
    """MSR-VTT (CVPR 2016): `train_val_videodatainfo.json` or `MSRVTT_data.json`, objects `videos` and `sentences`.

    Args:
        file: The file.
        split: `'train'`, `'validate'` or `'test'` of its `videos`; None = all.

    Raises:
        KeyError: If a field is missing, or no video has the split.
    """
    content = _json(file)
    if not isinstance(content, dict) or not {'videos', 'sentences'} <= set(content):
        raise KeyError(f"{file} has no fields 'videos' and 'sentences'")
    captions: Captions = {video['video_id']: [] for video in content['videos'] if split in (None, video['split'])}
    if not captions:
        known = sorted({video['split'] for video in content['videos']})
        raise KeyError(f'{file} has no video of split {split!r}; found {", ".join(known)}')
    for sentence in content['sentences']:
        if sentence['video_id'] in captions:
            captions[sentence['video_id']].append(sentence['caption'])
    return captions


def read_msvd(file: str) -> Captions:
    """MSVD (ACL 2011): `AllVideoDescriptions.txt`, lines "YOUTUBEID_START_END caption"; lines that begin with # are comments.

    Raises:
        ValueError: If a line has no caption.
    """
    captions = defaultdict(list)
    for number, line in enumerate(Path(file).read_text(encoding='utf-8').splitlines(), start=1):
        if not line.strip() or line.startswith('#'):
            continue
        video, _, caption = line.strip().partition(' ')
        if not caption:
            raise ValueError(f'{file}, line {number} must be "video caption", found {line.strip()[:80]!r}')
        captions[video].append(caption.strip())
    return dict(captions)


def read_didemo(file: str) -> Captions:
    """DiDeMo (arXiv 1708.01641): `train_data.json`, `val_data.json` or `test_data.json`, objects with `video` and `description`.

    Retrieval joins all descriptions of a video to one paragraph, in the order of the file.

    Raises:
        KeyError: If a field is missing.
    """
    parts = defaultdict(list)
    for number, record in enumerate(read_json(file)):
        if 'video' not in record or 'description' not in record:
            raise KeyError(f"{file}: record {number} has no fields 'video' and 'description', found {', '.join(record)}")
        parts[record['video']].append(record['description'].strip())
    return {video: [' '.join(own)] for video, own in parts.items()}


def read_video_list(file: str) -> list[str]:
    """Names of videos: one a line (MSVD, DiDeMo), or the column `video_id` of a CSV file (MSR-VTT, `MSRVTT_train.9k.csv`).

    Raises:
        KeyError: If a CSV file has no such column.
    """
    if Path(file).suffix.lower() != '.csv':
        return [line.strip() for line in Path(file).read_text(encoding='utf-8').splitlines() if line.strip()]
    records = list(read_table(file, delimiter=',', quoting=csv.QUOTE_MINIMAL))
    if records and 'video_id' not in records[0]:
        raise KeyError(f"{file} has no column 'video_id', found {', '.join(records[0])}")
    return [record['video_id'] for record in records]


def only(captions: Captions, videos: Sequence[str], source: str) -> Captions:
    """The captions of some videos, in their order.

    Raises:
        KeyError: If one of them has none.
    """
    absent = [video for video in videos if video not in captions]
    if absent:
        raise KeyError(f'{source} has no captions for {len(absent)} of {len(videos)} videos, e.g. {absent[0]}')
    return {video: captions[video] for video in videos}
