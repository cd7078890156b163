"""SNLI-VE: does a Flickr30k image entail a sentence, contradict it, or leave it open (arXiv 1901.06706)?"""

from mmengine.logging import print_log

from florence.datasets.pair_dataset import PairDataset
from florence.datasets.record_readers import read_jsonl
from florence.datasets.sentence_labels import label_index, settle_sentences
from florence.registry import DATASETS
from florence.tasks.json_files import require_fields

CLASSES = ('contradiction', 'neutral', 'entailment')
"""In METER's order, so that its checkpoints fit."""

NO_CONSENSUS = '-'


@DATASETS.register_module()
class SNLIVE(PairDataset):
    """One sample per hypothesis: `text`, `gt_label` as in `CLASSES`. Where the annotators did not agree ('-') there is no sample.

    Args:
        ann_file: `snli_ve_<split>.jsonl`; images are `<Flickr30K_ID>.jpg` below `data_prefix`.
        **kwargs: See `PairDataset`.

    Raises:
        KeyError: If a line lacks a field.
        ValueError: If a line is no JSON, a label is unknown, or two samples have one id.
    """

    METAINFO = dict(classes=CLASSES)

    def __init__(self, ann_file: str, **kwargs) -> None:
        super().__init__(ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per hypothesis, in the order of the file."""
        indices = {name: index for index, name in enumerate(CLASSES)}
        entries, undecided = [], 0
        for number, row in enumerate(read_jsonl(self.ann_file), start=1):
            place = f'{self.ann_file}: sentence {number}'
            require_fields(row, ('Flickr30K_ID', 'pairID', 'sentence2'), place)
            entry = {
                'sample_id': row['pairID'],
                'text': row['sentence2'],
                'img_path': str(self.img_root / f'{str(row["Flickr30K_ID"]).removesuffix(".jpg")}.jpg'),
                'image_id': row['Flickr30K_ID'],
            }
            if row.get('gold_label') == NO_CONSENSUS:
                undecided += 1
                continue
            if 'gold_label' in row:
                entry['gt_label'] = label_index(row['gold_label'], indices, place)
            entries.append(entry)
        if undecided:
            print_log(f'{self.name}: left out {undecided} sentences on which the annotators did not agree', logger='current')
        return settle_sentences(entries, name=self.name, test_mode=self.test_mode)
