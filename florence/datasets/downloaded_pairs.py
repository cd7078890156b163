"""Pairs published as captions with web addresses, whose images were downloaded: SBU, CC3M, CC12M.

SBU (Ordonez et al., NIPS 2011) is one JSON object of lists or two files of lines, Conceptual Captions (ACL 2018; arXiv
2102.08981) a table without a header. Many addresses are dead: rows without a file are left out, and the log says how many. Sets
that `img2dataset` packed into shards are read by `WebDatasetPairs`.
"""

import csv
import hashlib
import json
import os
import string
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from mmengine.logging import print_log

from florence.datasets.pair_dataset import PairDataset
from florence.registry import DATASETS

FIELDS = ('index', 'md5', 'name')


@DATASETS.register_module()
class DownloadedPairs(PairDataset):
    """One sample per caption whose image is there; `sample_id` is the image's file.

    Args:
        ann_file: A table of captions and addresses without a header (`.tsv`), a JSON object with the lists `captions` and
            `image_urls` (`.json`), or a file of one caption a line (`.txt`).
        url_file: For one caption a line: the file of one address a line.
        columns: Order of the table's columns, of `'caption'` and `'url'`: CC3M has the caption first, CC12M the address.
        file_name: How an image's file follows from its row: a format of `index` (row, from 0), `md5` (of the address) and `name`
            (last part of the address), e.g. `'{index:08d}.jpg'`, `'{md5}.jpg'`, `'{name}'`.
        **kwargs: See `PairDataset`.

    Raises:
        FileNotFoundError: If a file or the image folder is missing.
        ValueError: If the file has another form, `file_name` names another field, or no image is there.
    """

    def __init__(
        self,
        ann_file: str,
        *,
        url_file: str | None = None,
        columns: tuple[str, str] = ('caption', 'url'),
        file_name: str = '{index:08d}.jpg',
        **kwargs,
    ) -> None:
        if sorted(columns) != ['caption', 'url']:
            raise ValueError(f"DownloadedPairs: columns must be 'caption' and 'url' in either order, got {tuple(columns)}.")
        self.fields = _fields(file_name)
        self.url_file = url_file and Path(kwargs.get('data_root', ''), url_file)
        self.caption_first = columns[0] == 'caption'
        self.file_name = file_name
        super().__init__(ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per row whose image is there, in the order of the file."""
        readers: dict[str, Callable[[], Iterator[tuple[str, str]]]] = {
            '.tsv': self._table, '.json': self._lists, '.txt': self._lines
        }  # fmt: skip
        kind = Path(self.ann_file).suffix
        if kind not in readers:
            raise ValueError(f'DownloadedPairs reads {", ".join(readers)}, not {self.ann_file}.')
        present = _PresentFiles(self.img_root)
        samples, num_rows = [], 0
        try:
            for index, (caption, url) in enumerate(readers[kind]()):
                num_rows += 1
                image = self._image_of(index, url)
                if image in present:
                    samples.append({'sample_id': image, 'img_path': str(self.img_root / image), 'captions': (caption.strip(),)})
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f'{self.name} cannot be read as UTF-8 text, near row {num_rows}: {error}') from error
        print_log(f'{self.name}: {num_rows - len(samples)} of {num_rows} rows have no image and are left out', logger='current')
        return samples

    def _image_of(self, index: int, url: str) -> str:
        values: dict[str, object] = {'index': index}
        if 'name' in self.fields:
            values['name'] = _last_part(url)
        if 'md5' in self.fields:
            values['md5'] = hashlib.md5(url.encode(), usedforsecurity=False).hexdigest()
        return self.file_name.format(**values)

    def _table(self) -> Iterator[tuple[str, str]]:
        with open(self.ann_file, encoding='utf-8', newline='') as lines:
            # Quotes are ordinary characters: captions hold unpaired ones.
            rows = csv.reader(lines, delimiter='\t', quoting=csv.QUOTE_NONE)
            for row in rows:
                if len(row) != 2:
                    raise ValueError(
                        f'{self.ann_file}, line {rows.line_num} has {len(row)} fields, expected a caption and a url.'
                    )
                yield (row[0], row[1]) if self.caption_first else (row[1], row[0])

    def _lists(self) -> Iterator[tuple[str, str]]:
        try:
            content = json.loads(Path(self.ann_file).read_text(encoding='utf-8'))
        except json.JSONDecodeError as error:
            raise ValueError(f'{self.ann_file} is not valid JSON: {error}') from error
        if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in ('captions', 'image_urls')):
            raise ValueError(f'{self.ann_file} must hold an object with the lists captions and image_urls.')
        # A null counts as an empty text: without a caption, or without an image.
        captions, urls = ([text or '' for text in content[key]] for key in ('captions', 'image_urls'))
        return self._pairs(captions, urls)

    def _lines(self) -> Iterator[tuple[str, str]]:
        if self.url_file is None:
            raise ValueError(f'DownloadedPairs: {self.ann_file} holds captions alone, give url_file as well.')
        # Not str.splitlines: captions hold other separators of lines, such as U+2028.
        captions, urls = (
            Path(path).read_text(encoding='utf-8').removesuffix('\n').split('\n') for path in (self.ann_file, self.url_file)
        )
        return self._pairs(captions, urls)

    def _pairs(self, captions: list[str], urls: list[str]) -> Iterator[tuple[str, str]]:
        if len(captions) != len(urls):
            raise ValueError(f'{self.ann_file}: {len(captions)} captions for {len(urls)} addresses, expected as many.')
        return zip(captions, urls, strict=True)


def _fields(file_name: str) -> set[str]:
    """What a format of file names needs; refuses one that is none or needs anything else."""
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(file_name) if field is not None}
        file_name.format(index=0, md5='', name='')
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(f'DownloadedPairs: file_name must be a format of {FIELDS}, got {file_name!r}.') from error
    if not fields or not fields <= set(FIELDS):
        raise ValueError(f'DownloadedPairs: file_name must be a format of {FIELDS}, got {file_name!r}.')
    return fields


def _last_part(url: str) -> str:
    """Last part of an address, which names no file where the address is none."""
    try:
        return PurePosixPath(urlsplit(url).path).name
    except ValueError:  # such as 'http://[a'
        return ''


class _PresentFiles:
    """Which files are there; each folder is listed once, because asking for millions of files one by one takes minutes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.listed: dict[str, set[str]] = {}

    def __contains__(self, name: str) -> bool:
        folder, _, file = name.rpartition('/')
        if folder not in self.listed:
            path = self.root / folder
            self.listed[folder] = set(os.listdir(path)) if path.is_dir() else set()
        return file in self.listed[folder]
