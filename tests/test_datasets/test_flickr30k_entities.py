"""Flickr30k Entities: real sentences, boxes made up in the set's form, and bad files."""

import shutil

import pytest

from florence.datasets import Flickr30kEntities
from florence.datasets.flickr30k_entities import read_entity_sentences
from florence.datasets.transforms import AskTask

SENTENCES = """[/EN#1/people Two men] , one in [/EN#2/clothing a red hat] , look at [/EN#0/notvisual it] .
[/EN#1/people Men] outside in [/EN#3/scene the snow] .
"""


def annotated(*objects):
    """Of pairs of names and a box, None = the entity has none."""
    parts = []
    for names, box in objects:
        sides = zip(('xmin', 'ymin', 'xmax', 'ymax'), box or ())
        place = ''.join(f'<{side}>{value}</{side}>' for side, value in sides)
        place = f'<bndbox>{place}</bndbox>' if box else '<scene>1</scene><nobndbox>1</nobndbox>'
        parts.append('<object>' + ''.join(f'<name>{name}</name>' for name in names) + place + '</object>')
    return f'<annotation><filename>5.jpg</filename>{"".join(parts)}</annotation>'


@pytest.fixture
def folder(tmp_path):
    for name in ('Sentences', 'Annotations', 'images'):
        (tmp_path / name).mkdir()
    (tmp_path / 'test.txt').write_text('5\n6\n')
    (tmp_path / 'Sentences' / '5.txt').write_text(SENTENCES)
    (tmp_path / 'Annotations' / '5.xml').write_text(
        annotated((['1'], (1, 1, 11, 21)), (['1', '2'], (31, 1, 41, 21)), (['3'], None))
    )
    (tmp_path / 'Sentences' / '6.txt').write_text('[/EN#9/scene Snow] everywhere .\n')
    (tmp_path / 'Annotations' / '6.xml').write_text(annotated((['9'], None)))
    return tmp_path


def read(folder):
    return Flickr30kEntities('test.txt', data_root=str(folder), data_prefix=dict(img_path='images'))


def test_phrases_have_all_of_their_boxes_and_those_without_are_no_triplets(folder, log_lines):
    dataset = read(folder)
    assert len(dataset) == 1
    info = dataset.get_data_info(0)
    first, second = 'Two men , one in a red hat , look at it .', 'Men outside in the snow .'
    assert (info['sample_id'], info['img_path']) == ('5', str(folder / 'images' / '5.jpg'))
    boxes = [[0, 0, 10, 20], [30, 0, 40, 20]]
    assert info['record'] == {
        'image': '5.jpg',
        'texts': {'brief': [first, second]},
        'triplets': [
            dict(text=first, phrase='Two men', boxes=boxes),
            dict(text=first, phrase='a red hat', boxes=boxes[1:]),
            dict(text=second, phrase='Men', boxes=boxes),
        ],
    }
    assert any('1 images have no phrase with a box: left out' in line for line in log_lines)
    asked = AskTask('<CAPTION_TO_PHRASE_GROUNDING>').transform(info | {'ori_shape': (50, 50)})
    assert asked['prompt'][1] == f'Locate the phrases in the caption: {second}'
    assert asked['truth'][0]['labels'] == ['Two men', 'Two men', 'a red hat']


def test_real_sentences(test_data):
    path = test_data / 'vqa_format_fixtures' / 'flickr30k' / 'sentences' / '6338542128.txt'
    sentences = read_entity_sentences(path)
    text, phrases = sentences[1]
    assert (
        text == 'An offensive player running with a football while a football player tries to stop him during a football game .'
    )
    assert phrases[:2] == [('253070', 'An offensive player'), ('253077', 'a football')] and ('0', 'him') in phrases
    assert 'a Texas A&M football player' in dict(map(reversed, sentences[0][1]))


@pytest.mark.parametrize(
    ('file', 'content', 'message'),
    [
        ('Sentences/5.txt', '[/EN#1/people Two men , look .', 'line 1 has a phrase that is not marked as'),
        ('Annotations/5.xml', '<annotation>', 'is not valid XML'),
        ('Annotations/5.xml', annotated((['1'], (1, 1, 'x', 3))), 'a bndbox needs whole numbers'),
    ],
)
def test_bad_files_are_named(folder, file, content, message):
    (folder / file).write_text(content)
    with pytest.raises(ValueError, match=f'{file}.*{message}'):
        read(folder)


def test_missing_files_are_named(folder):
    shutil.rmtree(folder / 'Annotations')
    with pytest.raises(FileNotFoundError, match='no file .*Annotations/5.xml: check the folders'):
        read(folder)
