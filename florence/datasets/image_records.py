"""One record per image with all of its texts, regions, phrases and questions: what Florence-2 learns from (arXiv 2311.06242,
section 4, "FLD-5B"), and what a user writes for tasks of one's own.
"""

from pathlib import Path

from florence.datasets.hash_split import HashSplit
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.record_readers import read_json, read_jsonl
from florence.registry import DATASETS
from florence.tasks.json_files import require_fields

READERS = {'.json': read_json, '.jsonl': read_jsonl}
FIELDS = ('texts', 'regions', 'triplets', 'questions')


@DATASETS.register_module()
class ImageRecords(PairDataset):
    """Samples with `record`, which `DrawTasks` or `AskTask` turn into prompts and targets.

    Args:
        ann_file: JSON list of records, or one a line (`.jsonl`): objects with `image`, the path of the file, and some of `texts`,
            `regions`, `triplets` and `questions` (`florence.tasks.florence2.targets`).
        split: `'train'`, `'val'`, or None = all records; the split is by hash of the image's name.
        val_share: Share of the names in `'val'`.
        **kwargs: See `PairDataset`.

    Raises:
        KeyError: If a record has no image.
        ValueError: If the file has another ending, cannot be read, or a record has a field that no task knows, or none.
    """

    def __init__(self, ann_file: str, *, split: str | None = None, val_share: float = 0.1, **kwargs) -> None:
        if Path(ann_file).suffix.lower() not in READERS:
            raise ValueError(f'ImageRecords reads {" and ".join(READERS)}, not {ann_file!r}: rename or convert the file.')
        self.split = HashSplit(split, val_share)
        super().__init__(ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per record of the split, in the order of the file."""
        samples = []
        for number, record in enumerate(READERS[Path(self.ann_file).suffix.lower()](self.ann_file), start=1):
            source = f'record {number} of {self.ann_file}'
            image = str(require_fields(record, ['image'], source)['image'])
            unknown = set(record) - {'image', *FIELDS}
            if unknown or not set(FIELDS) & set(record):
                found = ', '.join(sorted(unknown)) if unknown else 'none'
                raise ValueError(f'{source} must have some of {", ".join(FIELDS)} and no other field, found {found}.')
            if self.split.has(image):
                samples.append({'sample_id': image, 'img_path': str(self.img_root / image), 'record': record})
        return samples
