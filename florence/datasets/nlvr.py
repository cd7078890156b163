"""NLVR: is a sentence true of a drawing of boxes and blocks (Suhr et al., ACL 2017)?"""

from florence.datasets.hash_split import HashSplit
from florence.datasets.nlvr2 import LABELS
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.record_readers import read_json
from florence.datasets.sentence_labels import label_index, settle_sentences
from florence.registry import DATASETS
from florence.tasks.json_files import require_fields


@DATASETS.register_module()
class NLVR(PairDataset):
    """One sample per sentence: `text`, `gt_label` 1 where it is true of the image.

    Args:
        ann_file: JSON list of `file_name`, `sentence` and `label`.
        split: `'train'`, `'val'`, or None = all; by a hash of the drawing's name.
        val_share: Share of the drawings in `'val'`.
        **kwargs: See `PairDataset`.

    Raises:
        KeyError: If an entry lacks a field.
        ValueError: If the file is no JSON list, a label is unknown, or two samples have one image.
    """

    METAINFO = dict(classes=tuple(LABELS))

    def __init__(self, ann_file: str, *, split: str | None = None, val_share: float = 0.1, **kwargs) -> None:
        self.split = HashSplit(split, val_share)
        super().__init__(ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per sentence of the split, in the order of the file."""
        entries = []
        for number, row in enumerate(read_json(self.ann_file)):
            place = f'{self.ann_file}: entry {number}'
            name = require_fields(row, ('file_name', 'sentence'), place)['file_name']
            if self.split.has(name):
                entry = {
                    'sample_id': name,
                    'text': row['sentence'],
                    'img_path': str(self.img_root / name),
                    'image_id': name,
                }
                entries.append(entry | ({'gt_label': label_index(row['label'], LABELS, place)} if 'label' in row else {}))
        return settle_sentences(entries, name=self.name, test_mode=self.test_mode)
