"""Captions of videos from the files that text-video retrieval is measured with.

Every reader gives the captions of each video, in the order of the file, under the video's name in the annotation.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from florence.datasets.record_readers import read_json, read_lines, read_table
from florence.tasks.json_files import read_json_file, read_json_object, require_fields

Captions = dict[str, list[str]]


def read_caption_dict(file: str) -> Captions:
    """mmaction2's form: one JSON object, `{file: [captions]}`; one caption may stand without brackets.

    Raises:
        ValueError: If it is something else.
    """
    captions = read_json_file(file)
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
    content = read_json_object(file, 'videos', 'sentences')
    fields = ('video_id',) if split is None else ('video_id', 'split')
    videos = [require_fields(video, fields, f'{file}: video {number}') for number, video in enumerate(content['videos'])]
    captions: Captions = {video['video_id']: [] for video in videos if split in (None, video.get('split'))}
    if videos and not captions:
        known = sorted({str(video['split']) for video in videos})
        raise KeyError(f'{file} has no video of split {split!r}; found {", ".join(known)}')
    for number, sentence in enumerate(content['sentences']):
        require_fields(sentence, ('video_id', 'caption'), f'{file}: sentence {number}')
        if sentence['video_id'] in captions:
            captions[sentence['video_id']].append(sentence['caption'])
    return captions


def read_msvd(file: str) -> Captions:
    """MSVD (ACL 2011): `AllVideoDescriptions.txt`, lines "YOUTUBEID_START_END caption"; lines that begin with # are comments.

    Raises:
        ValueError: If a line has no caption.
    """
    captions = defaultdict(list)
    for number, line in read_lines(file):
        if line.startswith('#'):
            continue
        video, _, caption = line.partition(' ')
        if not caption:
            raise ValueError(f'{file}, line {number} must be "video caption", found {line[:80]!r}')
        captions[video].append(caption.strip())
    return dict(captions)


def read_didemo(file: str) -> Captions:
    """DiDeMo (arXiv 1708.01641): `train_data.json`, `val_data.json` or `test_data.json`, objects with `video` and `description`.

    Retrieval joins all descriptions of a video to one paragraph, in the order of the file.

    Raises:
        KeyError: If a field is missing.
        ValueError: If a description is no text.
    """
    parts = defaultdict(list)
    for number, record in enumerate(read_json(file)):
        require_fields(record, ('video', 'description'), f'{file}: record {number}')
        if not isinstance(record['description'], str):
            raise ValueError(f'{file}: record {number} has the description {record["description"]!r}, which is no text')
        parts[record['video']].append(record['description'].strip())
    return {video: [' '.join(own)] for video, own in parts.items()}


def read_video_list(file: str) -> list[str]:
    """Names of videos: one a line (MSVD, DiDeMo), or the column `video_id` of a CSV file (MSR-VTT, `MSRVTT_train.9k.csv`).

    Raises:
        KeyError: If a CSV file has no such column.
        ValueError: If a video is named twice.
    """
    if Path(file).suffix.lower() == '.csv':
        records = read_table(file, delimiter=',', quoting=csv.QUOTE_MINIMAL)
        videos = [require_fields(record, ('video_id',), file)['video_id'] for record in records]
    else:
        videos = [line for _, line in read_lines(file)]
    repeated = [video for video, count in Counter(videos).items() if count > 1]
    if repeated:
        raise ValueError(f'{file} names {len(repeated)} of its videos more than once, e.g. {repeated[0]}')
    return videos


def require_captions(captions: Captions, source: str) -> Captions:
    """The captions, if every video has one or more and all of them are texts.

    Raises:
        ValueError: If not.
    """
    without = [video for video, own in captions.items() if not own]
    if without:
        raise ValueError(f'{source} has no caption for {len(without)} of {len(captions)} videos, e.g. {without[0]}')
    for video, own in captions.items():
        for caption in own:
            if not isinstance(caption, str):
                raise ValueError(f'{source} has the caption {caption!r} of video {video}, which is no text')
    return captions


def only(captions: Captions, videos: Sequence[str], source: str) -> Captions:
    """The captions of some videos, in their order.

    Raises:
        KeyError: If one of them has none.
    """
    absent = [video for video in videos if video not in captions]
    if absent:
        raise KeyError(f'{source} has no captions for {len(absent)} of {len(videos)} videos, e.g. {absent[0]}')
    return {video: captions[video] for video in videos}
