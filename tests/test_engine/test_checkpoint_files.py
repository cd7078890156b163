"""Checkpoint files: whole or not there, damage found, the newest sound one chosen."""

import errno
import os
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from florence.engine import checkpoint_files
from florence.engine.checkpoint_files import (
    checkpoints_in,
    is_work_dir,
    latest_checkpoint,
    problem_of,
    problem_of_shards,
    remove_checkpoint,
    remove_leftovers,
    save_checkpoint_file,
    shards_folder,
    write_pointer,
)


def checkpoint(value=1.0):
    return {'state_dict': {'weight': torch.full((4096,), value), 'steps': torch.tensor(3)}}


def saved(folder, name, value=1.0, time=None):
    path = folder / name
    save_checkpoint_file(checkpoint(value), path)
    if time is not None:
        os.utime(path, (time, time))
    return path


def with_shards(path, parts=2):
    folder = shards_folder(path)
    folder.mkdir()
    for rank in range(parts):
        torch.save({'rank': torch.full((4096,), float(rank))}, folder / f'zero_pp_rank_{rank}_mp_rank_00_optim_states.pt')
    return folder


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    os.truncate(path, 0)


def flip_one_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def overwrite(path):
    path.write_text('this is no checkpoint')


DAMAGES = {truncate: 'truncated', empty: 'is empty', flip_one_byte: 'damaged in', overwrite: 'no checkpoint'}


@pytest.mark.parametrize('error', [RuntimeError('killed'), KeyboardInterrupt('killed'), OSError('gone')])
def test_a_failed_save_leaves_the_old_file_and_nothing_else(error, tmp_path, monkeypatch):
    path = saved(tmp_path, 'iter_1.pth', 1.0)
    before = path.read_bytes()

    def half_a_save(content, target):
        Path(target).write_bytes(b'half')
        raise error

    monkeypatch.setattr(torch, 'save', half_a_save)
    with pytest.raises(type(error), match=str(error)):
        save_checkpoint_file(checkpoint(2.0), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ['iter_1.pth']


def test_a_save_replaces_the_file_whole(tmp_path):
    path = saved(tmp_path, 'iter_1.pth', 1.0)
    saved(tmp_path, 'iter_1.pth', 2.0)
    assert torch.load(path)['state_dict']['weight'].unique().tolist() == [2.0]
    assert os.listdir(tmp_path) == ['iter_1.pth']


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_weights_that_are_no_numbers_are_not_saved(value, tmp_path):
    content = checkpoint()
    content['state_dict']['weight'][7] = value
    with pytest.raises(ValueError, match='1 weights are NaN or infinite, the first is weight'):
        save_checkpoint_file(content, tmp_path / 'iter_1.pth')
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_told_with_the_room_that_is_left(tmp_path, monkeypatch):
    def full(content, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch, 'save', full)
    monkeypatch.setattr(checkpoint_files.shutil, 'disk_usage', lambda path: Usage())
    with pytest.raises(OSError, match=r'iter_1.pth could not be written, 1,235 MB are free there; free some space') as told:
        save_checkpoint_file(checkpoint(), tmp_path / 'iter_1.pth')
    assert isinstance(told.value.__cause__, OSError) and told.value.__cause__.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == []


class Usage:
    free = 1_234_567_890


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='there is no /dev/full')
@pytest.mark.parametrize('size', [10, 1_000_000])
def test_a_device_without_room_gives_the_same_sentence(size, tmp_path, monkeypatch):
    @contextmanager
    def on_full_device(path):
        yield Path('/dev/full')

    monkeypatch.setattr(checkpoint_files, 'atomic_path', on_full_device)
    with pytest.raises(OSError, match=r'could not be written, [\d,]+ MB are free there'):
        save_checkpoint_file({'state_dict': {'weight': torch.zeros(size)}}, tmp_path / 'iter_1.pth')


def test_another_error_of_torch_is_not_taken_for_a_full_disk(tmp_path, monkeypatch):
    def broken(content, target):
        raise RuntimeError('cannot pickle this')

    monkeypatch.setattr(torch, 'save', broken)
    with pytest.raises(RuntimeError, match='cannot pickle this') as told:
        save_checkpoint_file(checkpoint(), tmp_path / 'iter_1.pth')
    assert type(told.value) is RuntimeError


@pytest.mark.parametrize('damage', DAMAGES)
def test_damage_is_named(damage, tmp_path):
    path = saved(tmp_path, 'iter_1.pth')
    assert problem_of(path) is None
    damage(path)
    assert DAMAGES[damage] in problem_of(path)


def test_a_missing_file_is_a_problem(tmp_path):
    assert problem_of(tmp_path / 'iter_1.pth') == 'is missing'


@pytest.mark.parametrize('damage', DAMAGES)
def test_damage_in_the_parts_of_a_rank_is_named(damage, tmp_path):
    path = saved(tmp_path, 'iter_1.pth')
    assert problem_of_shards(path) is None, 'a checkpoint without parts'
    folder = with_shards(path)
    assert problem_of_shards(path) is None
    damage(folder / 'zero_pp_rank_1_mp_rank_00_optim_states.pt')
    problem = problem_of_shards(path)
    assert 'zero_pp_rank_1_mp_rank_00_optim_states.pt' in problem and DAMAGES[damage] in problem


def test_the_last_written_checkpoint_comes_first(tmp_path):
    saved(tmp_path, 'iter_9.pth', time=100)
    saved(tmp_path, 'iter_10.pth', time=100)
    saved(tmp_path, 'epoch_2.pth', time=200)
    saved(tmp_path, 'iter_5.pth', time=300)
    saved(tmp_path, 'best_top1_iter_7.pth', time=400)
    saved(tmp_path, 'weights.pth', time=400)
    assert [path.name for path in checkpoints_in(tmp_path)] == ['iter_5.pth', 'epoch_2.pth', 'iter_10.pth', 'iter_9.pth']
    assert latest_checkpoint(tmp_path, pytest.fail).name == 'iter_5.pth'


@pytest.mark.parametrize('damage', DAMAGES)
@pytest.mark.parametrize('in_shards', [False, True])
def test_the_one_before_a_damaged_checkpoint_is_taken(damage, in_shards, tmp_path):
    old, new = saved(tmp_path, 'iter_1.pth', time=100), saved(tmp_path, 'iter_2.pth', time=200)
    folder = with_shards(new)
    damage(folder / 'zero_pp_rank_0_mp_rank_00_optim_states.pt' if in_shards else new)
    reports = []
    assert latest_checkpoint(tmp_path, reports.append) == old
    assert len(reports) == 1 and str(new) in reports[0] and DAMAGES[damage] in reports[0] and 'one before it' in reports[0]
    assert new.is_file() and folder.is_dir(), 'what may be repaired stays'


def test_no_sound_checkpoint_is_none(tmp_path):
    empty(saved(tmp_path, 'iter_1.pth'))
    reports = []
    assert latest_checkpoint(tmp_path, reports.append) is None and len(reports) == 1
    assert latest_checkpoint(tmp_path / 'none', reports.append) is None


def test_leftovers_of_a_killed_save_go_and_nothing_else(tmp_path):
    with_shards(saved(tmp_path, 'iter_2.pth'))
    for name in ('iter_3.shards', 'iter_4.shards.partial', 'best_top1_iter_3.shards', 'train.shards', 'data.shards.old'):
        (tmp_path / name).mkdir()
    for name in ('.iter_4-abc123.pth', 'notes.pth', '.hidden.pth', 'iter_5.shards.txt'):
        (tmp_path / name).write_text('x')
    remove_leftovers(tmp_path)
    kept = {'iter_2.pth', 'iter_2.shards', 'train.shards', 'data.shards.old', 'notes.pth', '.hidden.pth', 'iter_5.shards.txt'}
    assert set(os.listdir(tmp_path)) == kept
    assert len(os.listdir(tmp_path / 'iter_2.shards')) == 2
    remove_leftovers(tmp_path / 'not_made_yet')


def test_a_checkpoint_is_removed_with_its_parts(tmp_path):
    path, other = saved(tmp_path, 'iter_2.pth'), saved(tmp_path, 'iter_3.pth')
    with_shards(path)
    with_shards(other)
    remove_checkpoint(path)
    assert set(os.listdir(tmp_path)) == {'iter_3.pth', 'iter_3.shards'}
    remove_checkpoint(path)  # gone already


def test_the_pointer_is_replaced(tmp_path):
    write_pointer(tmp_path, tmp_path / 'iter_1.pth')
    write_pointer(tmp_path, tmp_path / 'iter_2.pth')
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'iter_2.pth')
    assert os.listdir(tmp_path) == ['last_checkpoint']


def test_a_work_dir_is_told_from_sharded_weights(tmp_path):
    run, sharded, tagged = tmp_path / 'run', tmp_path / 'sharded', tmp_path / 'tagged'
    for folder in (run, sharded, tagged):
        folder.mkdir()
    (sharded / 'mp_rank_00_model_states.pt').touch()
    (tagged / 'latest').write_text('step1')
    found = [is_work_dir(str(path)) for path in (run, sharded, tagged, saved(run, 'iter_1.pth'), tmp_path / 'none')]
    assert found == [True, False, False, False, False]
    assert not is_work_dir('https://host/run')
