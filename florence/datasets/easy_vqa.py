"""Easy-VQA: 64-pixel pictures of one shape, 13 answers (https://github.com/vzhou842/easy-VQA); a set to try VQA on."""

from collections.abc import Iterator

from florence.datasets.hash_split import HashSplit
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.vqa_questions import question_entry, settle_questions
from florence.registry import DATASETS
from florence.tasks.json_files import read_json_file

YES_NO = ('yes', 'no')


@DATASETS.register_module()
class EasyVQA(PairDataset):
    """One sample per row `[question, answer, image_id]`; `answer_type` is 'yes/no' or 'other'.

    Args:
        ann_file: `questions.json`; images are `<image_id>.png` below `data_prefix`.
        split: `'train'`, `'val'`, or None = all: a part of the training images to choose models on, by a hash of the image.
        val_share: Share of the images in `'val'`.
        answer_file: `answers.txt`; None = every answer is fine.
        **kwargs: See `PairDataset`.

    Raises:
        ValueError: If the file is no JSON, or a row has another form.
    """

    def __init__(
        self, ann_file: str, *, split: str | None = None, val_share: float = 0.1, answer_file: str | None = None, **kwargs
    ) -> None:
        self.split = HashSplit(split, val_share)
        self.answer_file = answer_file
        super().__init__(ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per question, in the order of the file; the place in the file is its id."""
        return settle_questions(self._entries(), name=self.name, test_mode=self.test_mode, answer_file=self.answer_file)

    def _entries(self) -> Iterator[dict]:
        rows = read_json_file(self.ann_file)
        if not isinstance(rows, list):
            raise ValueError(f'{self.ann_file} must hold a list of rows, it holds {type(rows).__name__}')
        for number, row in enumerate(rows):
            if not isinstance(row, list) or len(row) != 3:
                raise ValueError(f'{self.ann_file}: row {number} must be [question, answer, image_id], it is {str(row)[:60]}')
            question, answer, image_id = row
            if self.split.has(str(image_id)):
                yield question_entry(
                    number,
                    question,
                    self.img_root / f'{image_id}.png',
                    image_id=image_id,
                    answers=[answer],
                    answer_type='yes/no' if answer in YES_NO else 'other',
                )
