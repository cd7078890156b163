"""Tables of captions and addresses: each row finds its file, dead ones are counted, other forms are refused."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from florence.datasets import DownloadedPairs

ROWS = [('a "red seven', 'http://a.org/x/7.jpg?size=2'), ('gone', 'http://a.org/gone.jpg'), ('blue two', 'http://b.org/2.jpg')]


def md5(url: str) -> str:
    return hashlib.md5(url.encode()).hexdigest()


@pytest.fixture
def folder(tmp_path):
    def make(names):
        for name in names:
            path = tmp_path / 'images' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path, format='JPEG')
        return tmp_path

    return make


def read(root, ann_file, **options):
    dataset = DownloadedPairs(ann_file, data_root=str(root), data_prefix=dict(img_path='images'), test_mode=True, **options)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return [(info['sample_id'], info['captions']) for info in infos]


@pytest.mark.parametrize('columns', [('caption', 'url'), ('url', 'caption')])
def test_conceptual_captions(folder, columns, caplog):
    root = folder(['00000000.jpg', '00000002.jpg'])
    lines = ['\t'.join(row if columns[0] == 'caption' else row[::-1]) for row in ROWS]
    (root / 'cc.tsv').write_text('\n'.join(lines) + '\n')
    found = read(root, 'cc.tsv', columns=columns)
    assert found == [('00000000.jpg', ('a "red seven',)), ('00000002.jpg', ('blue two',))]


@pytest.mark.parametrize(
    ('file_name', 'files'),
    [('{name}', ['7.jpg', '2.jpg']), ('{md5}.jpg', [md5(url) + '.jpg' for _, url in (ROWS[0], ROWS[2])]),
     ('{index:04d}/{index}.jpg', ['0000/0.jpg', '0002/2.jpg'])],
)  # fmt: skip
def test_sbu_and_names_of_files(folder, file_name, files):
    root = folder(files)
    captions, urls = zip(*ROWS, strict=True)
    (root / 'sbu.json').write_text(json.dumps(dict(captions=captions, image_urls=urls, user_ids=[1, 2, 3])))
    expected = [(files[0], (captions[0],)), (files[1], (captions[2],))]
    assert read(root, 'sbu.json', file_name=file_name) == expected
    (root / 'captions.txt').write_text('\n'.join(captions))
    (root / 'urls.txt').write_text('\n'.join(urls))
    assert read(root, 'captions.txt', url_file='urls.txt', file_name=file_name) == expected


def test_rows_of_the_web_as_they_come(folder):
    root = folder(['a.jpg', 'b.jpg', 'c.jpg', '00000000.jpg', '00000001.jpg'])
    captions, urls = ['one\u2028two', 'three\x85', 'four'], [f'http://x.org/{name}.jpg' for name in 'abc']
    (root / 'captions.txt').write_text('\n'.join(captions) + '\n', encoding='utf-8')
    (root / 'urls.txt').write_text('\n'.join(urls), encoding='utf-8')
    found = read(root, 'captions.txt', url_file='urls.txt', file_name='{name}')
    assert found == [('a.jpg', ('one\u2028two',)), ('b.jpg', ('three',)), ('c.jpg', ('four',))]
    (root / 'sbu.json').write_text(json.dumps(dict(captions=['one', None, 'three'], image_urls=[urls[0], urls[1], None])))
    assert read(root, 'sbu.json', file_name='{name}') == [('a.jpg', ('one',)), ('b.jpg', ('',))]
    (root / 'cc.tsv').write_text('one\thttp://[a/0.jpg\ntwo\thttp://a/1.jpg\n')  # the first address is none
    assert [sample for sample, _ in read(root, 'cc.tsv')] == ['00000000.jpg', '00000001.jpg']
    (root / 'cc.tsv').write_text('one\thttp://[a/0.jpg\ntwo\thttp://a/b.jpg\n')
    assert [sample for sample, _ in read(root, 'cc.tsv', file_name='{name}')] == ['b.jpg']


def test_missing_images_are_counted_and_training_gives_the_text(folder, monkeypatch):
    from florence.datasets import downloaded_pairs

    root, said = folder(['00000000.jpg']), []
    monkeypatch.setattr(downloaded_pairs, 'print_log', lambda message, **_: said.append(message))
    (root / 'cc.tsv').write_text('\n'.join(map('\t'.join, ROWS)))
    pipeline = [dict(type='florence.LoadImage'), dict(type='florence.PackImageText')]
    dataset = DownloadedPairs('cc.tsv', data_root=str(root), data_prefix=dict(img_path='images'), pipeline=pipeline)
    assert len(dataset) == 1 and dataset[0]['data_samples'].text == 'a "red seven'
    assert said == [f'DownloadedPairs {root}/cc.tsv: 2 of 3 rows have no image and are left out']
    assert list(dataset.captions()) == ['a "red seven']


def test_other_forms_are_refused(folder):
    root = folder(['1.jpg'])
    (root / 'a.tsv').write_text('caption\turl\tmore\n')
    (root / 'a.json').write_text('{"captions": []}')
    (root / 'a.txt').write_text('one\ntwo')
    (root / 'b.txt').write_text('http://a')
    (root / 'b.tsv').write_bytes(b'caf\xe9\thttp://a\n')
    for ann_file, options, message in [
        ('a.tsv', {}, 'line 1 has 3 fields'),
        ('a.json', {}, 'lists captions and image_urls'),
        ('a.txt', {}, 'give url_file as well'),
        ('a.txt', dict(url_file='b.txt'), '2 captions for 1 addresses'),
        ('a.tsv', dict(file_name='{row}.jpg'), r"must be a format of .* got '\{row\}.jpg'"),
        ('a.tsv', dict(file_name='{index'), r"must be a format of .* got '\{index'"),
        ('a.tsv', dict(file_name='{index:zz}.jpg'), 'must be a format of'),
        ('b.tsv', {}, 'b.tsv cannot be read as UTF-8 text, near row 0'),
        ('a.tsv', dict(columns=('text', 'url')), "columns must be 'caption' and 'url'"),
    ]:
        with pytest.raises(ValueError, match=message):
            read(root, ann_file, **options)
    (root / 'a.tsv').write_text('a dog\thttp://a/0.jpg\n')
    with pytest.raises(ValueError, match='no sample found'):
        read(root, 'a.tsv')
