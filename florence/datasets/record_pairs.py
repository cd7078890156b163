"""Image-text pairs from a file of records: JSON, JSON lines, CSV or TSV."""

import csv
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from florence.datasets.hash_split import HashSplit
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.record_columns import RecordColumns
from florence.datasets.record_readers import read_json, read_jsonl, read_table
from florence.registry import DATASETS

READERS: dict[str, Callable[[str], Iterable[dict]]] = {
    'json': read_json,
    'jsonl': read_jsonl,
    'csv': partial(read_table, delimiter=','),
    # Quotes are ordinary characters in TSV: captions hold unpaired ones.
    'tsv': partial(read_table, delimiter='\t', quoting=csv.QUOTE_NONE),
}


@DATASETS.register_module()
class RecordPairs(PairDataset):
    """Pairs from a JSON list of objects, one JSON object a line, or a table whose first line names the columns.

    Args:
        ann_file: The annotation file.
        file_format: A key of `READERS`; None = the ending of the file's name.
        columns: Column names, arguments of `RecordColumns`: `dict(image=..., text=..., sample_id=...)`.
        split: `'train'`, `'val'`, or None = all samples; the split is by hash of the sample's name.
        val_share: Share of the names in `'val'`.
        **kwargs: See `PairDataset`.

    Raises:
        KeyError: If a column is missing.
        ValueError: If the format is unknown.
    """

    def __init__(
        self,
        ann_file: str,
        *,
        file_format: str | None = None,
        columns: dict | None = None,
        split: str | None = None,
        val_share: float = 0.1,
        **kwargs,
    ) -> None:
        file_format = file_format or Path(ann_file).suffix[1:].lower()
        if file_format not in READERS:
            raise ValueError(
                f'RecordPairs reads {", ".join(READERS)}, not {file_format!r} ({ann_file}): name the format in file_format.'
            )
        self.read = READERS[file_format]
        self.columns = RecordColumns(**(columns or {}))
        self.split = HashSplit(split, val_share)
        super().__init__(ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per image, in the order of the file."""
        return self.columns.samples(self.read(self.ann_file), self.img_root, self.split, self.ann_file)
