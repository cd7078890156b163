"""The check of videos, as a user calls it."""

import importlib.util
import json
import re
import shutil

import pytest
from conftest import REPO_ROOT
from video_files import damage, write_video

from florence.datasets.video import video_faults

CONFIG = """
default_scope = 'mmaction'
videos = dict(type='florence.VideoCaptions', ann_file='captions.json', data_root='{root}', pipeline=[dict(type='Flip')])
train_dataloader = dict(dataset=dict(type='RepeatDataset', dataset=videos, times=2))
val_dataloader = dict(dataset=dict(type='florence.DigitClipActions', num_clips=2, split='test'))
"""


@pytest.fixture
def check(tmp_path, capsys):
    """Write captions of some videos and call the tool: the lines it printed and what it ended with."""
    path = REPO_ROOT / 'tools/misc/check_videos.py'
    spec = importlib.util.spec_from_file_location('check_videos', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def call(*names, options=()):
        (tmp_path / 'captions.json').write_text(json.dumps({name: ['a clip'] for name in names}))
        (tmp_path / 'config.py').write_text(CONFIG.format(root=tmp_path))
        with pytest.raises(SystemExit) as stopped:
            tool.main([str(tmp_path / 'config.py'), '--workers', '2', *options])
        return capsys.readouterr().out.splitlines(), stopped.value.code

    return call


def test_bad_videos_are_named_with_their_reason(tmp_path, check):
    write_video(tmp_path / 'good.mp4', 12)
    shutil.copy(tmp_path / 'good.mp4', tmp_path / 'copy.mp4')
    assert check('good.mp4', 'copy.mp4') == (['0 of 2 videos are bad'], 0)
    (tmp_path / 'cut.mp4').write_bytes((tmp_path / 'good.mp4').read_bytes()[:500])
    (tmp_path / 'text.mp4').write_text('no video ' * 90)
    (tmp_path / 'empty.mp4').touch()
    lines, code = check('good.mp4', 'cut.mp4', 'empty.mp4', 'copy.mp4', 'text.mp4')
    assert code == 1 and lines[-1] == '3 of 5 videos are bad' and len(lines) == 4
    assert f'cannot open video {tmp_path}/cut.mp4' in lines[0] and f'{tmp_path}/empty.mp4 is empty' in lines[1]
    assert f'{tmp_path}/text.mp4' in lines[2]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ((), r'error: VideoCaptions .*: 1 of 1 videos are missing: .*gone\.mp4'),
        (('--split', 'val'), 'error: the data set of val_dataloader, DigitClipActions, names no video files'),
        (('--split', 'test'), 'error: the config has no test_dataloader'),
        (('--cfg-options', 'videos.x.y=1'), "error: --cfg-options videos.x.y: no 'x' in videos"),
    ],
)
def test_what_cannot_be_checked(check, options, message):
    lines, code = check('gone.mp4', options=options)
    assert not lines and re.search(message, code)


def test_a_damaged_end_is_a_fault(tmp_path):
    path = damage(write_video(tmp_path / 'a.mp4', 60, gop=10), 40)
    assert video_faults.fault_of(str(path)) == f'1 of the first, middle and last frame of video {path} cannot be decoded'


def test_what_a_decoder_raises_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(video_faults.DecodeVideo, 'transform', lambda self, results: {}['pts'])
    path = write_video(tmp_path / 'a.mp4', 3)
    assert video_faults.fault_of(str(path)) == f"video {path} cannot be read: KeyError 'pts'"
