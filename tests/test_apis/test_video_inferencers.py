"""Inferencers on video files: both worlds, results against the model itself, pictures, and a sentence for each bad input."""

import json
import runpy
import sys

import numpy as np
import pytest
import torch
from conftest import REPO_ROOT
from mmengine.config import Config
from PIL import Image
from tiny_video import recognizer_config, two_tower_config, write_moving_square, write_sound

from florence.apis import ActionInferencer, VideoRetrievalInferencer
from florence.apis.model_loading import build_model
from florence.models.two_tower import TwoTower

CLASSES = ['moves left', 'moves right', 'grows']


@pytest.fixture
def videos(tmp_path):
    colors = {'red': (200, 30, 30), 'green': (30, 200, 30), 'blue': (30, 30, 200)}
    return [write_moving_square(tmp_path / f'{name}.mp4', color=color) for name, color in colors.items()]


@pytest.fixture
def image_checkpoint(tmp_path):
    """Weights of an image-text model."""
    config = two_tower_config('frames').model.to_dict()
    del config['type'], config['mode']
    model = TwoTower(**config)
    model.tokenizer.tokenizer.train(CLASSES)
    torch.save(model.state_dict(), tmp_path / 'unicl.pth')
    return str(tmp_path / 'unicl.pth')


@pytest.mark.parametrize('mode', ['frames', 'tube'])
def test_retrieval_with_an_image_model_s_weights(videos, image_checkpoint, mode, tmp_path):
    inferencer = VideoRetrievalInferencer(two_tower_config(mode), image_checkpoint)
    texts = ['a red square', 'a blue square']
    results = inferencer.retrieve(videos, texts, out_dir=tmp_path / 'out')
    clips = torch.stack([inferencer.reader.read(path)['inputs'] for path in videos])
    with torch.no_grad():
        embeds = inferencer.model.encode_image(inferencer.model.data_preprocessor(dict(inputs=clips))['inputs'])
        scores = inferencer.model.encode_text(texts) @ embeds.t()
    assert clips.shape == (3, 3, 4, 32, 32)
    for row, result in zip(scores, results, strict=True):
        want, order = row.sort(descending=True)
        assert [found['path'] for found in result['videos']] == [str(videos[i]) for i in order]
        assert [found['score'] for found in result['videos']] == pytest.approx(want.tolist(), abs=1e-5)
    assert np.asarray(Image.open(tmp_path / 'out/retrieval.png')).std() > 10


def test_zero_shot_actions(videos, image_checkpoint, tmp_path):
    inferencer = ActionInferencer(two_tower_config('tube'), image_checkpoint, classes=CLASSES, templates='kinetics')
    results = inferencer(videos, 2, tmp_path / 'out')
    with torch.no_grad():
        inputs = inferencer.model.data_preprocessor(dict(inputs=[inferencer.reader.read(videos[0])['inputs']]))['inputs']
        classifier = inferencer.model.class_embeddings(CLASSES, 'kinetics')
        want = (inferencer.model.multiplier() * inferencer.model.encode_image(inputs) @ classifier.t()).softmax(1)[0]
    assert [one['score'] for one in results[0]['classes']] == pytest.approx(want.topk(2).values.tolist(), abs=1e-5)
    assert results[0]['class'] == results[0]['classes'][0]['label'] == CLASSES[int(want.argmax())]
    assert np.asarray(Image.open(tmp_path / 'out/actions.png')).std() > 10


def test_a_recognizer_of_mmaction_s(videos, tmp_path):
    config = recognizer_config()
    model = build_model(config, 'mmaction')
    meta = {'dataset_meta': {'classes': CLASSES}}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, tmp_path / 'model.pth')
    inferencer = ActionInferencer(config, str(tmp_path / 'model.pth'))
    assert inferencer.classes == tuple(CLASSES)
    result = inferencer(videos[:1], 3, tmp_path / 'out')[0]
    packed = inferencer.reader.read(videos[0])
    assert packed['inputs'].shape == (1, 3, 4, 32, 32)
    with torch.no_grad():
        want = model.eval().test_step(dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']]))[0].pred_score
    order = want.argsort(descending=True).tolist()
    assert [one['label'] for one in result['classes']] == [CLASSES[i] for i in order]
    assert [one['score'] for one in result['classes']] == pytest.approx(want[order].tolist(), abs=1e-6)
    assert sum(one['score'] for one in result['classes']) == pytest.approx(1, abs=1e-5)
    with pytest.raises(ValueError, match='the model tells 3 classes, 2 names are given'):
        ActionInferencer(config, str(tmp_path / 'model.pth'), classes=['a', 'b'])(videos[:1])


def test_short_videos_are_classified(tmp_path):
    inferencer = ActionInferencer(recognizer_config())
    paths = [write_moving_square(tmp_path / f'{length}.mp4', length=length) for length in (1, 3)]
    assert [len(result['classes']) for result in inferencer(paths)] == [3, 3]


@pytest.mark.parametrize(
    ('make', 'error', 'message'),
    [
        (lambda folder: folder / 'none.mp4', FileNotFoundError, "no video file '.*none.mp4': check the path"),
        (lambda folder: write_sound(folder / 'sound.wav'), ValueError, 'sound.wav'),
        (lambda folder: _written(folder / 'empty.mp4', b''), ValueError, 'empty.mp4'),
        (lambda folder: _written(folder / 'text.mp4', b'no video at all ' * 99), ValueError, 'text.mp4'),
        (lambda folder: _cut(write_moving_square(folder / 'cut.mp4')), ValueError, 'cut.mp4'),
    ],
)
def test_a_bad_file_is_named(tmp_path, make, error, message):
    inferencer = ActionInferencer(recognizer_config())
    with pytest.raises(error, match=message) as raised:
        inferencer([make(tmp_path)])
    assert '\n' not in str(raised.value)


def _written(path, content):
    path.write_bytes(content)
    return path


def _cut(path):
    return _written(path, path.read_bytes()[:300])


def test_the_ending_of_a_name_does_not_matter(tmp_path):
    path = write_moving_square(tmp_path / 'a.mp4').rename(tmp_path / 'a.txt')
    assert ActionInferencer(recognizer_config())([path])[0]['path'] == str(path)


def test_mistakes_get_one_sentence(videos, image_checkpoint, tmp_path):
    with pytest.raises(ValueError, match='two towers choose among class names'):
        ActionInferencer(two_tower_config('frames'), image_checkpoint)
    without = two_tower_config('frames')
    without.pop('inference_pipeline')
    with pytest.raises(ValueError, match='decodes no video file'):
        VideoRetrievalInferencer(without, image_checkpoint)
    with pytest.raises(ValueError, match='no model of type VideoTwoTower'):
        VideoRetrievalInferencer(recognizer_config())
    with pytest.raises(ValueError, match='no model: give one of'):
        ActionInferencer(Config(dict(default_scope='mmaction')))
    with pytest.raises(ValueError, match='does not fit this model'):
        ActionInferencer(recognizer_config(), image_checkpoint)
    inferencer = VideoRetrievalInferencer(two_tower_config('frames'), image_checkpoint)
    for arguments, message in (
        ((videos, ['a', ' ']), 'none of them empty'), ((videos, 'a'), 'none of them empty'), (([], ['a']), 'a list of one path'),
        ((videos, ['a'], 0), 'num_results must be 1 or more'),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            inferencer.retrieve(*arguments)


def test_the_tool(videos, image_checkpoint, tmp_path, monkeypatch, capsys):
    two_tower_config('frames').dump(tmp_path / 'config.py')

    def tool(task, *arguments):
        command = ['infer.py', task, str(tmp_path), '--model', str(tmp_path / 'config.py'), '--checkpoint', image_checkpoint]
        monkeypatch.setattr(sys, 'argv', [*command, *arguments])
        runpy.run_path(str(REPO_ROOT / 'tools' / 'infer.py'), run_name='__main__')
        out = capsys.readouterr().out
        return json.loads(out[out.index('[\n') :])

    results = tool('action', '--text', 'moves left, grows', '--top', '1', '--out', str(tmp_path / 'out'))
    assert [result['path'] for result in results] == sorted(map(str, videos)) and len(results[0]['classes']) == 1
    assert (tmp_path / 'out/results.json').is_file() and (tmp_path / 'out/actions.png').is_file()
    results = tool('video-retrieve', '--text', 'a red square; a blue one')
    assert [result['text'] for result in results] == ['a red square', 'a blue one'] and len(results[0]['videos']) == 3
    with pytest.raises(SystemExit, match='error: two towers choose among class names'):
        tool('action')
