"""Files are whole or not there."""

import json

import numpy as np
import pytest
import torch

from florence.atomic_files import atomic_folder, atomic_path, write_json


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path):
    target = tmp_path / 'a' / 'x.json'
    write_json(target, {'figure': 1})
    with pytest.raises(RuntimeError), atomic_path(target) as path:
        path.write_text('half')
        raise RuntimeError('killed')
    assert json.loads(target.read_text()) == {'figure': 1}
    assert [item.name for item in target.parent.iterdir()] == ['x.json']


def test_a_folder_is_whole_or_not_there(tmp_path):
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / 'a/b') as folder:
        (folder / 'x').write_text('half')
        raise RuntimeError('killed')
    assert not list((tmp_path / 'a').iterdir())
    (tmp_path / 'a/b').mkdir()  # an empty one is taken
    with atomic_folder(tmp_path / 'a/b') as folder:
        (folder / 'x').write_text('all')
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob('*')] == ['a', 'a/b', 'a/b/x']
    with pytest.raises(FileExistsError, match='b exists: name a new folder'), atomic_folder(tmp_path / 'a/b'):
        pass


def test_scalars_of_numpy_and_torch_become_numbers(tmp_path):
    write_json(tmp_path / 'x.json', {'a': np.float32(0.5), 'b': torch.tensor(2)})
    assert json.loads((tmp_path / 'x.json').read_text()) == {'a': 0.5, 'b': 2}
