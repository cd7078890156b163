"""GQA: composed questions about Visual Genome images, one answer each (arXiv 1902.09506)."""

from collections.abc import Iterator, Sequence

from florence.datasets.annotation_files import annotation_files
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.vqa_questions import question_entry, settle_questions
from florence.registry import DATASETS
from florence.tasks.json_files import read_json_object, require_fields


@DATASETS.register_module()
class GQA(PairDataset):
    """One sample per question; `question_type` is the structural type, `answer_type` is 'open' or 'binary' as in GQA's tables.

    Args:
        question_files: `*_questions.json`, one or several, or the folder of the parts of `train_all_questions`.
        answer_file: Answer vocabulary, the path that the model's `VQAHead` gets; None = all are fine. Training leaves
            out questions whose answer it lacks.
        balanced_only: Take the questions of the balanced set alone.
        **kwargs: See `PairDataset`; images are `<imageId>.jpg` below `data_prefix`.

    Raises:
        FileNotFoundError: If a file is missing.
        KeyError: If a question lacks a field.
        ValueError: If a file is no JSON, or two questions have one id.
    """

    def __init__(
        self, question_files: str | Sequence[str], *, answer_file: str | None = None, balanced_only: bool = False, **kwargs
    ) -> None:
        self.question_files = question_files
        self.answer_file = answer_file
        self.balanced_only = balanced_only
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per question, in the order of the files."""
        return settle_questions(self._entries(), name=self.name, test_mode=self.test_mode, answer_file=self.answer_file)

    def _entries(self) -> Iterator[dict]:
        for path in annotation_files(self.question_files, self.data_root):
            for question_id, entry in read_json_object(path).items():
                place = f'{path}: question {question_id}'
                require_fields(entry, ('question', 'imageId'), place)
                if self.balanced_only and not require_fields(entry, ('isBalanced',), place)['isBalanced']:
                    continue
                structure = entry.get('types', {}).get('structural')
                yield question_entry(
                    question_id,
                    entry['question'],
                    self.img_root / f'{entry["imageId"]}.jpg',
                    image_id=entry['imageId'],
                    answers=[entry['answer']] if 'answer' in entry else None,
                    question_type=structure,
                    answer_type=None if structure is None else ('open' if structure == 'query' else 'binary'),
                )
