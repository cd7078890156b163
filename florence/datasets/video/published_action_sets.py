"""The annotation files of the public sets of actions, as their authors give them out."""

import csv
import re
from pathlib import Path

from florence.datasets.record_readers import read_json, read_lines, read_table
from florence.datasets.video.action_lists import ActionList
from florence.tasks.json_files import read_json_object, require_fields

KINETICS_FILE = '{label}/{youtube_id}_{time_start:06d}_{time_end:06d}.mp4'
HMDB51_SPLITS = {'train': '1', 'test': '2'}
HMDB51_UNUSED = '0'


def read_kinetics(file: str, path_template: str = KINETICS_FILE) -> ActionList:
    """Kinetics-400, -600 and -700 (arXiv 1705.06950): `label,youtube_id,time_start,time_end,split`.

    Args:
        file: The CSV file of one split.
        path_template: Where a video lies, with the names of the columns in braces. `{label_}` is the label with underscores for
            blanks; `'{youtube_id}_{time_start:06d}_{time_end:06d}.mp4'` is the flat layout.

    Returns:
        Rows with class names; classes in the order of the alphabet, as in every published list.

    Raises:
        KeyError: If a column is missing.
        ValueError: If a label is empty, a time is no number, or the template cannot be filled in.
    """
    rows = []
    for number, record in enumerate(read_table(file, delimiter=',', quoting=csv.QUOTE_MINIMAL)):
        where = f'{file}: record {number}'
        require_fields(record, ('label', 'time_start', 'time_end'), where)
        if not record['label'].strip():
            raise ValueError(f'{where} has an empty label')
        fields = {**record, 'label_': record['label'].replace(' ', '_')}
        fields |= {column: _whole_seconds(record[column], f'{where}, {column}') for column in ('time_start', 'time_end')}
        try:
            path = path_template.format(**fields)
        except KeyError as error:
            raise KeyError(f'{where} has no column {error} of path_template, found {", ".join(record)}') from error
        except (IndexError, ValueError) as error:
            raise ValueError(f'path_template {path_template!r} cannot be filled in from {where}: {error}') from error
        rows.append((path, record['label']))
    return ActionList(rows, tuple(sorted({label for _, label in rows})))


def _whole_seconds(text: str, where: str) -> int:
    try:
        return round(float(text))
    except (ValueError, OverflowError) as error:
        raise ValueError(f'{where} must be seconds, found {text!r}') from error


def read_something_something(file: str) -> ActionList:
    """Something-Something V2 (arXiv 1706.04261): `train.json` or `validation.json`, with `labels.json` beside it.

    Args:
        file: A list of objects with `id` and `template`; the brackets of a template are not part of the class name. The official
            names of the files are accepted as well (`something-something-v2-*.json`).

    Raises:
        FileNotFoundError: If there is no file of labels.
        KeyError: If a record has no id, no template (test split) or an unknown one.
        ValueError: If the file of labels does not number its classes.
    """
    folder = Path(file).parent
    names = [folder / name for name in ('labels.json', 'something-something-v2-labels.json')]
    label_file = next((path for path in names if path.is_file()), None)
    if label_file is None:
        raise FileNotFoundError(f'no {names[0].name} or {names[1].name} in {folder}')
    labels = read_json_object(label_file)
    if sorted(map(str, labels.values())) != sorted(map(str, range(len(labels)))):
        raise ValueError(f'{label_file} must number its {len(labels)} classes 0 to {len(labels) - 1}')
    index_of = {name: int(index) for name, index in labels.items()}
    rows = []
    for number, record in enumerate(read_json(file)):
        where = f'{file}: record {number}'
        require_fields(record, ('id', 'template'), where)
        template = re.sub(r'[\[\]]', '', str(record['template']))
        if template not in index_of:
            raise KeyError(f'{where} has the template {template!r}, which {label_file} does not list')
        rows.append((f'{record["id"]}.webm', index_of[template]))
    return ActionList(rows, tuple(sorted(index_of, key=index_of.__getitem__)))


def in_words(name: str) -> str:
    """`ApplyEyeMakeup` is "apply eye makeup"."""
    return re.sub(r'(?<=[a-z])(?=[A-Z])', ' ', name).lower()


def read_ucf101(file: str) -> ActionList:
    """UCF101 (arXiv 1212.0402): `trainlist0N.txt` or `testlist0N.txt`, with `classInd.txt` beside it.

    Args:
        file: Lines "Class/v_Class_g01_c01.avi", in the training list with the class number from 1 behind it.

    Raises:
        FileNotFoundError: If there is no `classInd.txt`.
        ValueError: If a video's folder is no class, or a line has another form.
    """
    class_file = Path(file).parent / 'classInd.txt'
    if not class_file.is_file():
        raise FileNotFoundError(f'no classInd.txt beside {file}')
    names: list[str] = []
    for number, line in read_lines(str(class_file)):
        fields = line.split()
        if len(fields) != 2 or fields[0] != str(len(names) + 1):
            raise ValueError(f'{class_file}, line {number} must be "{len(names) + 1} ClassName", found {line[:80]!r}')
        names.append(fields[1])
    rows = []
    for number, line in read_lines(file):
        path = line.split()[0]
        name = path.split('/')[0]
        if name not in names:
            raise ValueError(f'{file}, line {number}: {name!r} is no class of {class_file}')
        rows.append((path, names.index(name)))
    return ActionList(rows, tuple(map(in_words, names)))


def read_hmdb51(folder: str, split: str | None = None, fold: int = 1) -> ActionList:
    """HMDB51 (ICCV 2011): a folder of `CLASS_test_splitN.txt`, lines "file.avi 1" (1 = training, 2 = test, 0 = not in the fold).

    Args:
        folder: `testTrainMulti_7030_splits`.
        split: `'train'` or `'test'`.
        fold: 1, 2 or 3.

    Raises:
        ValueError: If the split is unknown, the folder has no file of the fold, or a line has another form.
    """
    if split not in HMDB51_SPLITS:
        raise ValueError(f'HMDB51: split is one of {", ".join(HMDB51_SPLITS)}, not {split!r}')
    ending = f'_test_split{fold}.txt'
    files = sorted(Path(folder).glob(f'*{ending}'))
    if not files:
        raise ValueError(f'{folder} has no file *{ending}')
    classes = [file.name[: -len(ending)] for file in files]
    rows = []
    for index, (name, file) in enumerate(zip(classes, files, strict=True)):
        for number, line in read_lines(str(file)):
            fields = line.split()
            if len(fields) != 2 or fields[1] not in (*HMDB51_SPLITS.values(), HMDB51_UNUSED):
                raise ValueError(f'{file}, line {number} must be "file.avi" and 0, 1 or 2, found {line[:80]!r}')
            if fields[1] == HMDB51_SPLITS[split]:
                rows.append((f'{name}/{fields[0]}', index))
    return ActionList(rows, tuple(name.replace('_', ' ') for name in classes))
