"""Questions of Visual Genome, one free answer each (arXiv 1602.07332); usual extra training data for VQAv2."""

from collections.abc import Iterator
from pathlib import Path

from florence.datasets.annotation_files import annotation_files
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.vqa_questions import question_entry, settle_questions
from florence.registry import DATASETS
from florence.tasks.json_files import read_json_file, require_fields


@DATASETS.register_module()
class VisualGenomeQA(PairDataset):
    """One sample per question of `question_answers.json`.

    Args:
        question_file: `question_answers.json`, relative to `data_root`.
        image_file: `image_data.json`, which tells the folder of each image (`VG_100K` or `VG_100K_2`); None = all images are
            `<image_id>.jpg` in one folder.
        answer_file: Answer vocabulary, the path that the model's `VQAHead` gets; None = all are fine. Training leaves
            out questions whose answer it lacks.
        **kwargs: See `PairDataset`.

    Raises:
        FileNotFoundError: If a file is missing.
        KeyError: If an entry lacks a field, or `image_file` an image.
        ValueError: If a file is no JSON, or two questions have one id.
    """

    def __init__(self, question_file: str, *, image_file: str | None = None, answer_file: str | None = None, **kwargs) -> None:
        self.question_file = question_file
        self.image_file = image_file
        self.answer_file = answer_file
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per question, in the order of the file."""
        return settle_questions(self._entries(), name=self.name, test_mode=self.test_mode, answer_file=self.answer_file)

    def _entries(self) -> Iterator[dict]:
        (path,) = annotation_files(self.question_file, self.data_root)
        paths = self._image_paths()
        for image in read_json_file(path):
            for entry in require_fields(image, ('qas',), f'{path}: an image')['qas']:
                require_fields(entry, ('qa_id', 'image_id', 'question', 'answer'), f'{path}: a question')
                image_id = entry['image_id']
                if paths is not None and image_id not in paths:
                    raise KeyError(f'{self.image_file} has no image {image_id}, which {path} asks about')
                yield question_entry(
                    entry['qa_id'],
                    entry['question'],
                    self.img_root / (f'{image_id}.jpg' if paths is None else paths[image_id]),
                    image_id=image_id,
                    answers=[entry['answer']],
                )

    def _image_paths(self) -> dict[int, str] | None:
        if self.image_file is None:
            return None
        (path,) = annotation_files(self.image_file, self.data_root)
        entries = [require_fields(entry, ('image_id', 'url'), f'{path}: an image') for entry in read_json_file(path)]
        return {entry['image_id']: '/'.join(Path(entry['url']).parts[-2:]) for entry in entries}
