"""Encodings and broken tables; the data sets that read records test what they hold."""

import pytest

from florence.datasets.record_pairs import READERS


@pytest.mark.parametrize(
    ('kind', 'content'),
    [
        ('json', '[{"image": "a.png", "answer": "café"}]'),
        ('jsonl', '{"image": "a.png", "answer": "café"}\r\n'),
        ('csv', 'image,answer\r\na.png,café\r\n'),
        ('tsv', 'image\tanswer\na.png\tcafé\n'),
    ],
)
def test_encodings(tmp_path, kind, content):
    path = tmp_path / f'q.{kind}'
    for encoding in ('utf-8', 'utf-8-sig'):
        path.write_bytes(content.encode(encoding))
        assert list(READERS[kind](str(path))) == [{'image': 'a.png', 'answer': 'café'}]
    path.write_bytes(content.encode('latin-1'))
    with pytest.raises(ValueError, match='is not encoded in UTF-8 .*: save it in that encoding'):
        list(READERS[kind](str(path)))


def test_a_quotation_mark_that_is_left_open(tmp_path):
    path = tmp_path / 'q.csv'
    path.write_text('image,answer\na.png,"red\n' + 'b.png,blue\n' * 20_000)
    with pytest.raises(ValueError, match='cannot be read as a table .*: is a quotation mark left open'):
        list(READERS['csv'](str(path)))
