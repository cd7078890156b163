"""The annotation files of the public sets of actions, as their authors give them out."""

import csv
import json
import re
from pathlib import Path

from florence.datasets.record_readers import read_json, read_table
from florence.datasets.video.action_lists import ActionList

KINETICS_FILE = '{label}/{youtube_id}_{time_start:06d}_{time_end:06d}.mp4'
HMDB51_SPLITS = {'train': '1', 'test': '2'}


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
    """
    rows = []
    for number, record in enumerate(read_table(file, delimiter=',', quoting=csv.QUOTE_MINIMAL)):
        try:
            times = {key: round(float(record[key])) for key in ('time_start', 'time_end')}
            path = path_template.format(**{**record, 'label_': record['label'].replace(' ', '_'), **times})
        except KeyError as error:
            raise KeyError(f'{file}: record {number} has no column {error}, found {", ".join(record)}') from error
        rows.append((path, record['label']))
    return ActionList(rows, tuple(sorted({label for _, label in rows})))


def read_something_something(file: str) -> ActionList:
    """Something-Something V2 (arXiv 1706.04261): `train.json` or `validation.json`, with `labels.json` beside it.

    Args:
        file: A list of objects with `id` and `template`; the brackets of a template are not part of the class name. The official
            names of the files are accepted as well (`something-something-v2-*.json`).

    Raises:
        FileNotFoundError: If there is no file of labels.
        KeyError: If a record has no template (test split) or an unknown one.
    """
    folder = Path(file).parent
    names = [folder / name for name in ('labels.json', 'something-something-v2-labels.json')]
    label_file = next((path for path in names if path.is_file()), None)
    if label_file is None:
        raise FileNotFoundError(f'no {names[0].name} or {names[1].name} in {folder}')
    index_of = {name: int(index) for name, index in json.loads(label_file.read_text(encoding='utf-8')).items()}
    rows = []
    for number, record in enumerate(read_json(file)):
        template = re.sub(r'[\[\]]', '', record.get('template', ''))
        if template not in index_of:
            raise KeyError(f'{file}: record {number} has the template {template!r}, which {label_file} does not list')
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
        ValueError: If a video's folder is no class.
    """
    class_file = Path(file).parent / 'classInd.txt'
    if not class_file.is_file():
        raise FileNotFoundError(f'no classInd.txt beside {file}')
    names = [line.split()[1] for line in class_file.read_text().splitlines() if line.strip()]
    rows = []
    for number, line in enumerate(Path(file).read_text().splitlines(), start=1):
        if not line.strip():
            continue
        path = line.split()[0]
        name = path.split('/')[0]
        if name not in names:
            raise ValueError(f'{file}, line {number}: {name!r} is no class of {class_file}')
        rows.append((path, names.index(name)))
    return ActionList(rows, tuple(map(in_words, names)))


def read_hmdb51(folder: str, split: str | None, fold: int) -> ActionList:
    """HMDB51 (ICCV 2011): a folder of `CLASS_test_splitN.txt`, lines "file.avi 1" (1 = training, 2 = test, 0 = not in the fold).

    Args:
        folder: `testTrainMulti_7030_splits`.
        split: `'train'` or `'test'`.
        fold: 1, 2 or 3.

    Raises:
        ValueError: If the split is unknown, or the folder has no file of the fold.
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
        pairs = [line.split() for line in file.read_text().splitlines() if line.strip()]
        rows += [(f'{name}/{video}', index) for video, use in pairs if use == HMDB51_SPLITS[split]]
    return ActionList(rows, tuple(name.replace('_', ' ') for name in classes))
