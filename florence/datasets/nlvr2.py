"""NLVR2: is a sentence true of a pair of photographs (arXiv 1811.00491)?"""

from collections.abc import Iterator, Sequence

from florence.datasets.annotation_files import annotation_files
from florence.datasets.image_template import path_from_template
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.record_readers import read_jsonl
from florence.datasets.sentence_labels import label_index, settle_sentences
from florence.registry import DATASETS
from florence.tasks.json_files import require_fields

LABELS = {'false': 0, 'true': 1}


def split_identifier(identifier: str) -> tuple[str, str, str]:
    """Split, image pair and sentence that an identifier names.

    Args:
        identifier: `<split>-<set>-<pair>-<sentence>`, such as `dev-850-2-1`.

    Returns:
        Such as `('dev', 'dev-850-2', 'dev-850-1')`; the sentence is shared by pairs of one set.

    Raises:
        ValueError: If the identifier has another form.
    """
    parts = str(identifier).split('-')
    if len(parts) != 4:
        raise ValueError(f'an identifier of NLVR2 is <split>-<set>-<pair>-<sentence>, such as dev-850-2-1, not {identifier!r}')
    split, group, pair, sentence = parts
    return split, f'{split}-{group}-{pair}', f'{split}-{group}-{sentence}'


@DATASETS.register_module()
class NLVR2(PairDataset):
    """One sample per sentence and pair: `img_paths` (left, right), `text`, `gt_label` 1 where it is true.

    `sample_id` is the identifier; `question_id` that of the sentence, which several pairs share (for the consistency of
    `florence.LabelAccuracy`). Pipelines begin with `florence.ForEachImage` and end with `florence.PackImages`.

    Args:
        ann_files: `train.json`, `dev.json`, `test1.json`, ...: one JSON object a line; one or several, relative to `data_root`.
        image_template: Path of an image below `data_prefix`, from `folder` (`train/<directory>`, `dev`, `test1`), `pair` and
            `number` (0 left, 1 right).
        **kwargs: See `PairDataset`.

    Raises:
        FileNotFoundError: If a file is missing.
        KeyError: If a line lacks a field.
        ValueError: If a line is no JSON, an identifier or label is odd, two samples have one identifier, or the template does not
            fit.
    """

    METAINFO = dict(classes=tuple(LABELS))

    def __init__(
        self,
        ann_files: str | Sequence[str],
        *,
        image_template: str = '{folder}/{pair}-img{number}.png',
        **kwargs,
    ) -> None:
        self.ann_files = ann_files
        self.image_template = image_template
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per sentence and pair, in the order of the files."""
        return settle_sentences(self._entries(), name=self.name, test_mode=self.test_mode)

    def _entries(self) -> Iterator[dict]:
        for path in annotation_files(self.ann_files, self.data_root):
            for number, row in enumerate(read_jsonl(str(path)), start=1):
                place = f'{path}: sentence {number}'
                require_fields(row, ('identifier', 'sentence'), place)
                split, pair, sentence = split_identifier(row['identifier'])
                folder = f'{split}/{row["directory"]}' if 'directory' in row else split
                names = [path_from_template(self.image_template, folder=folder, pair=pair, number=side) for side in (0, 1)]
                entry = {
                    'sample_id': row['identifier'],
                    'question_id': sentence,
                    'text': row['sentence'],
                    'img_paths': tuple(str(self.img_root / name) for name in names),
                    'image_id': pair,
                }
                yield entry | ({'gt_label': label_index(row['label'], LABELS, place)} if 'label' in row else {})
