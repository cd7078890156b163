"""A user's own questions: JSON, JSON lines, CSV or TSV with one question a record."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from florence.datasets.hash_split import HashSplit
from florence.datasets.image_template import path_from_template
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.record_pairs import READERS
from florence.datasets.record_readers import read_json
from florence.datasets.vqa_questions import question_entry, settle_questions
from florence.registry import DATASETS
from florence.tasks.json_files import require_fields


@dataclass(frozen=True)
class QuestionColumns:
    """Names of the columns of a file of questions.

    Args:
        image: Path of the image.
        question: The question.
        answers: Column of the answer, which may hold a list, be it of objects with `answer`; or several columns, one per
            annotator; None = no answers. Empty ones are no answers.
        question_id: Identity of the question; None = its place in the file.
        question_type, answer_type: Groups for break-downs of the accuracy; None = none.
    """

    image: str = 'image'
    question: str = 'question'
    answers: str | Sequence[str] | None = 'answer'
    question_id: str | None = None
    question_type: str | None = None
    answer_type: str | None = None

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """Columns of answers."""
        return (self.answers,) if isinstance(self.answers, str) else tuple(self.answers or ())

    def require(self, record: dict, place: str) -> None:
        """Refuse a record without one of the columns.

        Raises:
            KeyError: Says which ones it has.
        """
        named = (self.image, self.question, self.question_id, self.question_type, self.answer_type, *self.answer_columns)
        for column in filter(None, named):
            if column not in record:
                raise KeyError(f'{place} has no column {column!r}: name the right ones in `columns`, found {", ".join(record)}')

    def answers_of(self, record: dict, place: str) -> list[str]:
        """The answers of all annotators, without empty ones.

        Raises:
            KeyError: If an answer is an object without `answer`.
        """
        values = [record[column] for column in self.answer_columns]
        flat = [entry for value in values for entry in (value if isinstance(value, list) else [value])]
        flat = [
            require_fields(entry, ['answer'], f'{place}: an answer')['answer'] if isinstance(entry, dict) else entry
            for entry in flat
        ]
        return [str(answer) for answer in flat if answer is not None and str(answer).strip()]


@DATASETS.register_module()
class VQARecords(PairDataset):
    """One sample per record; also TextVQA, VizWiz, DocVQA and sets of their form, by the names of their columns.

    Args:
        ann_file: The file of questions.
        file_format: A key of `florence.datasets.record_pairs.READERS`; None = the ending of the file's name.
        records_field: Field of a JSON object that holds the list of records, such as `'data'`; None = the file is the list.
        columns: Arguments of `QuestionColumns`.
        image_template: Path of an image below `data_prefix`, from `image`, the column of that meaning.
        split: `'train'`, `'val'`, or None = all; by a hash of the image's path, so no image is in both.
        val_share: Share of the images in `'val'`.
        answer_file: Answer vocabulary, the path that the model's `VQAHead` gets; None = all are fine. Training leaves
            out questions none of whose answers it has.
        **kwargs: See `PairDataset`.

    Raises:
        KeyError: If a column is missing.
        ValueError: If the format is unknown or a file has another one, or two questions have one id.
    """

    def __init__(
        self,
        ann_file: str,
        *,
        file_format: str | None = None,
        records_field: str | None = None,
        image_template: str = '{image}',
        columns: dict | None = None,
        split: str | None = None,
        val_share: float = 0.1,
        answer_file: str | None = None,
        **kwargs,
    ) -> None:
        file_format = file_format or Path(ann_file).suffix[1:].lower()
        if file_format not in READERS:
            raise ValueError(
                f'VQARecords reads {", ".join(READERS)}, not {file_format!r} ({ann_file}): name the format in file_format.'
            )
        if records_field is not None and file_format != 'json':
            raise ValueError(f'VQARecords: only JSON has records_field, {ann_file} is {file_format}.')
        self.read = READERS[file_format] if records_field is None else partial(read_json, field=records_field)
        self.image_template = image_template
        self.columns = QuestionColumns(**(columns or {}))
        self.split = HashSplit(split, val_share)
        self.answer_file = answer_file
        super().__init__(ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per record of the split, in the order of the file."""
        return settle_questions(self._entries(), name=self.name, test_mode=self.test_mode, answer_file=self.answer_file)

    def _entries(self) -> Iterator[dict]:
        columns = self.columns
        for number, record in enumerate(self.read(self.ann_file)):
            place = f'{self.ann_file}: record {number}'
            columns.require(record, place)
            image = str(record[columns.image])
            if self.split.has(image):
                yield question_entry(
                    record[columns.question_id] if columns.question_id else number,
                    record[columns.question] or '',
                    self.img_root / path_from_template(self.image_template, image=image),
                    image_id=image,
                    answers=columns.answers_of(record, place),
                    question_type=record[columns.question_type] if columns.question_type else None,
                    answer_type=record[columns.answer_type] if columns.answer_type else None,
                )
