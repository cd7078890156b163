"""The official files of VQAv2: questions and annotations (https://visualqa.org, "Input Questions Format")."""

from pathlib import Path

from florence.tasks.json_files import read_json_object, require_fields


def read_vqa_questions(path: str | Path) -> tuple[str, list[dict]]:
    """Subset (`data_subtype`, such as 'test-dev2015') and questions of `v2_OpenEnded_mscoco_<subset>_questions.json`.

    Raises:
        KeyError: If the file or a question lacks a field.
        ValueError: If the file is no JSON object.
    """
    content = read_json_object(path, 'questions', 'data_subtype')
    fields = ('question_id', 'image_id', 'question')
    return content['data_subtype'], [require_fields(entry, fields, f'{path}: a question') for entry in content['questions']]


def read_vqa_annotations(path: str | Path) -> list[dict]:
    """Entries of `v2_mscoco_<subset>_annotations.json`; each has `question_id` and `answers`, a list of objects with `answer`.

    Raises:
        KeyError: If the file, an annotation or an answer lacks a field.
        ValueError: If the file is no JSON object.
    """
    entries = read_json_object(path, 'annotations')['annotations']
    source = f'{path}: an annotation'
    for entry in entries:
        require_fields(entry, ('question_id', 'answers'), source)
        for answer in entry['answers']:
            if not isinstance(answer, dict) or 'answer' not in answer:
                raise KeyError(f'{path}: an answer to question {entry["question_id"]} has no field "answer": {answer}')
    return entries


def typed_answers(annotation: dict) -> list[str]:
    """What each annotator typed."""
    return [answer['answer'] for answer in annotation['answers']]
