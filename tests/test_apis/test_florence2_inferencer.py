"""Florence-2 on image files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from florence2_files import write_florence2
from PIL import Image

from florence.apis import Florence2Inferencer, readable_inputs


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    return write_florence2(tmp_path_factory.mktemp('florence2'))


def paths(folder):
    return [str(folder / f'{number}.png') for number in range(3)]


def test_answers_are_those_of_the_model_and_are_drawn(trained, tmp_path):
    inferencer = Florence2Inferencer(str(trained / 'config.py'), str(trained / 'model.pth'))
    asked = ['<CAPTION>', '<OD>', ('<VQA>', 'how many digits are there?'), ('<REGION_TO_CATEGORY>', [10, 10, 30, 30])]
    results = inferencer(paths(trained), asked, out_dir=tmp_path)
    assert [result['task'] for result in results[:4]] == ['<CAPTION>', '<OD>', '<VQA>', '<REGION_TO_CATEGORY>']
    assert len(results) == 12 and results[3]['path'] == paths(trained)[0] and results[3]['input'] == [10, 10, 30, 30]
    image = np.asarray(Image.open(paths(trained)[0]))
    inputs = inferencer.model.data_preprocessor({'inputs': [torch.from_numpy(image.copy()).permute(2, 0, 1)]})['inputs']
    (found,) = inferencer.model.generate(inferencer.model.encode_images(inputs), ['What does the image describe?'])
    assert results[0]['answer'] == inferencer.model.tokenizer.tokenizer.decode(found[0].tokens)
    assert set(results[1]) >= {'labels', 'boxes', 'scores'} and 'text' in results[2]
    assert Image.open(tmp_path / 'florence2.png').size[0] > 600
    json.dumps(results)


def test_images_and_questions_in_batches(trained):
    asked = ['<CAPTION>', '<OD>', ('<REGION_TO_CATEGORY>', [10, 10, 30, 30])]
    found = []
    for batch_size in (1, 2, 7, 64):
        inferencer = Florence2Inferencer(str(trained / 'config.py'), str(trained / 'model.pth'), batch_size=batch_size)
        found.append([(each['path'], each['task'], each['answer']) for each in inferencer(paths(trained), asked)])
    assert found[0] == found[1] == found[2] == found[3]
    assert len({answer for _, task, answer in found[0] if task == '<OD>'}) > 1, 'answers depend on the image'


def test_regions_are_in_pixels_of_the_file(trained, monkeypatch):
    inferencer = Florence2Inferencer(str(trained / 'config.py'), str(trained / 'model.pth'))
    words = inferencer.model.tokenizer.tokenizer
    tokens = tuple(words.encode_targets(['seven<loc_0><loc_0><loc_499><loc_999>'], ['x'])['input_ids'][0, 1:-1].tolist())
    answer = type('Answer', (), {'tokens': tokens, 'log_probs': (-0.5,) * len(tokens)})
    monkeypatch.setattr(inferencer.model, 'generate', lambda *_, **__: [[answer]])
    (result,) = inferencer([paths(trained)[2]], ['<OD>'])
    assert result['labels'] == ['seven'] and result['scores'] == [pytest.approx(np.exp(-0.5))]
    assert result['boxes'][0] == pytest.approx([0.32, 0.24, 319.68, 479.76])


@pytest.mark.parametrize('questions', [[], '<OD>'])
def test_no_question_is_refused(trained, questions):
    inferencer = Florence2Inferencer(str(trained / 'config.py'), str(trained / 'model.pth'))
    with pytest.raises(ValueError, match='a list of one question or more'):
        inferencer(paths(trained), questions)


@pytest.mark.parametrize(('question', 'message'), [
    (3, "a task tag such as '<OD>', or a pair of tag and input, got 3"),
    (('<OPEN_VOCABULARY_DETECTION>', 'seven,two'), r"one class name, 'seven,two': give several as a list, \['seven', 'two'\]"),
])  # fmt: skip
def test_a_question_of_another_form_is_refused(trained, question, message):
    inferencer = Florence2Inferencer(str(trained / 'config.py'), str(trained / 'model.pth'))
    with pytest.raises(ValueError, match=message):
        inferencer(paths(trained), [question])


def test_images_are_files_or_in_memory(trained):
    inferencer = Florence2Inferencer(str(trained / 'config.py'), str(trained / 'model.pth'))
    (expected,) = inferencer(paths(trained)[0], ['<OD>'])
    image = Image.open(paths(trained)[0])
    assert inferencer([image, np.asarray(image)], ['<OD>']) == [{**expected, 'path': f'image-{index}'} for index in range(2)]
    with pytest.raises(ValueError, match='a path, an array or a Pillow image, image 1 is of type int'):
        inferencer([image, 3], ['<OD>'])


def test_what_cannot_be_read_is_left_out_and_named(trained, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(readable_inputs, 'print_log', lambda message, **_: said.append(message))
    inferencer = Florence2Inferencer(str(trained / 'config.py'), str(trained / 'model.pth'))
    (tmp_path / 'bad.png').write_bytes(b'no image')
    given = [tmp_path / 'bad.png', *paths(trained)]
    assert inferencer(given, ['<OD>']) == inferencer(paths(trained), ['<OD>'])
    assert len(said) == 1 and said[0].startswith('1 of 4 images are left out:') and 'bad.png' in said[0]
    with pytest.raises(ValueError, match='no image can be read: cannot decode image .*bad.png'):
        inferencer(tmp_path / 'bad.png', ['<OD>'])
    image = np.asarray(Image.open(paths(trained)[0]))
    (tmp_path / 'cut.png').write_bytes(Path(paths(trained)[0]).read_bytes()[:200])
    assert [found['path'] for found in inferencer([Image.open(tmp_path / 'cut.png'), image], ['<OD>'])] == ['image-1']
    with pytest.raises(ValueError, match='no image can be read: cannot decode image .*cut.png: .*truncated'):
        inferencer(Image.open(tmp_path / 'cut.png'), ['<OD>'])


def test_a_model_whose_vocabulary_is_learned_needs_its_checkpoint():
    with pytest.raises(ValueError, match='lies in its checkpoint: give one'):
        Florence2Inferencer('configs/florence2/florence2-nano_14min_digits.py')


def test_other_configs_are_named():
    with pytest.raises(ValueError, match='no model of type Florence2'):
        Florence2Inferencer('configs/unicl/unicl_coswin-nano_10min_digits.py')
    with pytest.raises(FileNotFoundError, match="no config file 'none.py'"):
        Florence2Inferencer('none.py')
