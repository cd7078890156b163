"""VQAv2: questions about COCO images with ten human answers each (arXiv 1612.00837)."""

from collections.abc import Iterator, Sequence

from mmengine.logging import print_log

from florence.datasets.annotation_files import annotation_files
from florence.datasets.image_reserve import ImageReserve
from florence.datasets.image_template import path_from_template
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.vqa_questions import question_entry, settle_questions
from florence.registry import DATASETS
from florence.tasks.vqa_files import read_vqa_annotations, read_vqa_questions, typed_answers

IMAGE_SUBSETS = {'test-dev2015': 'test2015'}
"""Subsets whose images lie in the folder of another."""


@DATASETS.register_module()
class VQAv2(PairDataset):
    """One sample per question; `question_type` and `answer_type` are the official ones.

    Args:
        question_files: `v2_OpenEnded_mscoco_<subset>_questions.json`, one or several, relative to `data_root`.
        annotation_files: `v2_mscoco_<subset>_annotations.json`, one or several; None = the test splits have none.
        image_template: Path of an image below `data_prefix`, from `subset` and `image_id`.
        answer_file: Answer vocabulary, the path that the model's `VQAHead` gets; None = all are fine. Training leaves
            out questions none of whose answers it has.
        reserve: Arguments of `ImageReserve`: images held out for validation, as Florence does. None = no reserve.
        **kwargs: See `PairDataset`.

    Raises:
        FileNotFoundError: If a file is missing.
        KeyError: If a file lacks a field.
        ValueError: If a file is no JSON, two questions or two annotations have one id, or the template does not fit.
    """

    def __init__(
        self,
        question_files: str | Sequence[str],
        *,
        annotation_files: str | Sequence[str] | None = None,
        image_template: str = '{subset}/COCO_{subset}_{image_id:012d}.jpg',
        answer_file: str | None = None,
        reserve: dict | None = None,
        **kwargs,
    ) -> None:
        self.question_files = question_files
        self.annotation_files = annotation_files
        self.image_template = image_template
        self.answer_file = answer_file
        self.reserve = None if reserve is None else ImageReserve(**reserve)
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per question, in the order of the files."""
        questions = list(self._questions())
        annotations = self._annotations()
        unknown = len(annotations.keys() - {entry['question_id'] for _, entry in questions})
        if unknown:
            print_log(f'{self.name}: {unknown} of {len(annotations)} annotations are of other questions', logger='current')
        if self.reserve is not None:
            reserve = self.reserve
            reserved = reserve.of(entry['image_id'] for subset, entry in questions if subset == reserve.subset)
            questions = [
                (subset, entry)
                for subset, entry in questions
                if (subset == reserve.subset and entry['image_id'] in reserved) == (reserve.take == 'reserved')
            ]
        entries = (self._entry(subset, entry, annotations.get(entry['question_id'])) for subset, entry in questions)
        return settle_questions(entries, name=self.name, test_mode=self.test_mode, answer_file=self.answer_file)

    def _questions(self) -> Iterator[tuple[str, dict]]:
        for path in annotation_files(self.question_files, self.data_root):
            subset, questions = read_vqa_questions(path)
            yield from ((subset, question) for question in questions)

    def _annotations(self) -> dict[int, dict]:
        if self.annotation_files is None:
            return {}
        found: dict[int, dict] = {}
        for path in annotation_files(self.annotation_files, self.data_root):
            for entry in read_vqa_annotations(path):
                if found.setdefault(entry['question_id'], entry) is not entry:
                    raise ValueError(f'{path}: question {entry["question_id"]} is annotated more than once: list no file twice.')
        return found

    def _entry(self, subset: str, question: dict, annotation: dict | None) -> dict:
        folder = IMAGE_SUBSETS.get(subset, subset)
        return question_entry(
            question['question_id'],
            question['question'],
            self.img_root / path_from_template(self.image_template, subset=folder, image_id=question['image_id']),
            image_id=question['image_id'],
            answers=None if annotation is None else typed_answers(annotation),
            question_type=(annotation or {}).get('question_type'),
            answer_type=(annotation or {}).get('answer_type'),
        )
