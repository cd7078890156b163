"""A command-line tool ends with a sentence, and with a traceback before it where the fault may be ours."""

from pathlib import Path

import pytest

from florence.engine.config_files import load_config
from florence.user_errors import ending_in_words


def end(capsys, action):
    with pytest.raises(SystemExit) as ended, ending_in_words():
        action()
    return str(ended.value), capsys.readouterr().err


def test_what_this_package_says_is_enough(capsys):
    words, errors = end(capsys, lambda: load_config('none.py'))
    assert words.startswith("error: no config file 'none.py'") and not errors


def test_what_another_package_wraps_is_still_ours(capsys):
    def wrap():
        try:
            load_config('mmdet::retinanet/retinanet_r18_fpn_1x_coco.py', {'modle': 1})
        except KeyError as error:
            raise KeyError(f'class X: {error.args[0]}') from error

    words, errors = end(capsys, wrap)
    assert "class X: --cfg-options modle: no 'modle'" in words and not errors


def test_a_missing_file_needs_no_traceback(capsys):
    words, errors = end(capsys, Path('no/such/file').read_text)
    assert 'no/such/file' in words and not errors


def test_faults_of_others_keep_their_traceback(capsys):
    words, errors = end(capsys, lambda: int('x'))
    assert words == "error: invalid literal for int() with base 10: 'x'" and 'Traceback' in errors


def test_errors_that_no_user_causes_pass():
    with pytest.raises(ZeroDivisionError), ending_in_words():
        _ = 1 / 0
