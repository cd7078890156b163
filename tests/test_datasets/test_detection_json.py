"""Whatever the chunks are, the stream gives what Python's decoder gives."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from florence.datasets.detection_json import stream_members

leaves = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False) | st.text(max_size=6)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3))


def flat(content):
    return [
        (name, item)
        for name, value in content.items()
        for item in (value if isinstance(value, list) else [value])
    ]  # fmt: skip


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=4), values, max_size=5), st.integers(1, 9), st.sampled_from([None, 1]), st.booleans())
def test_equal_to_the_decoder(tmp_path, content, chunk, indent, ascii_only):
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(content, indent=indent, ensure_ascii=ascii_only), encoding='utf-8')
    assert list(stream_members(path, chunk)) == flat(content)


@pytest.mark.parametrize('chunk', [3, 1 << 22])
def test_a_file_cut_anywhere_is_refused(tmp_path, chunk):
    text = json.dumps({'images': [{'id': 1}, {'id': 22}], 'n': 12})
    path = tmp_path / 'x.json'
    for length in range(len(text)):
        path.write_text(text[:length])
        with pytest.raises(ValueError, match='cut short'):
            list(stream_members(path, chunk))


def test_the_sentence_says_where(tmp_path):
    path = tmp_path / 'x.json'
    path.write_text('{"images": [{"id": 1}, {"id": 2}, {"id')
    with pytest.raises(ValueError, match=r"x.json is cut short or no JSON object, after 2 entries of 'images'"):
        list(stream_members(path))
    path.write_text('[1, 2]')
    with pytest.raises(ValueError, match='no JSON object, at its start'):
        list(stream_members(path))
    path.write_bytes(b'{"a": "\xff\xfe"}')
    with pytest.raises(ValueError, match='no JSON object'):
        list(stream_members(path))
    with pytest.raises(FileNotFoundError, match='no annotation file'):
        list(stream_members(tmp_path / 'none.json'))
