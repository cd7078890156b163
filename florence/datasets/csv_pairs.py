"""Image-text pairs from a comma-separated table, the first line naming the columns."""

from florence.datasets.hash_split import HashSplit
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.record_columns import RecordColumns
from florence.datasets.record_readers import read_table
from florence.registry import DATASETS


@DATASETS.register_module()
class CsvPairs(PairDataset):
    """Pairs from a CSV file; fields may be quoted.

    Args:
        ann_file: The annotation file.
        columns: Column names, arguments of `RecordColumns`: `dict(image=..., text=..., sample_id=...)`.
        split: `'train'`, `'val'`, or None = all samples; the split is by hash of the sample's name.
        val_share: Share of the names in `'val'`.
        **kwargs: See `PairDataset`.

    Raises:
        KeyError: If a column is missing.
    """

    def __init__(
        self,
        ann_file: str,
        *,
        columns: dict | None = None,
        split: str | None = None,
        val_share: float = 0.1,
        **kwargs,
    ) -> None:
        self.columns = RecordColumns(**(columns or {}))
        self.split = HashSplit(split, val_share)
        super().__init__(ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per image, in the order of the file."""
        return self.columns.samples(read_table(self.ann_file, ','), self.img_root, self.split, self.ann_file)
