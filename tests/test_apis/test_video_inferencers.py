"""Inferencers on video files: both worlds, results against the model itself, pictures, and a sentence for each bad input."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import REPO_ROOT
from mmengine.config import Config
from PIL import Image
from tiny_video import OPENING, recognizer_config, two_tower_config, write_moving_square, write_sound

from florence.apis import (
    ActionInferencer,
    VideoRetrievalInferencer,
    action_inferencer,
    readable_inputs,
    video_inputs,
    video_retrieval_inferencer,
)  # fmt: skip
from florence.apis.model_loading import build_model
from florence.apis.video_inputs import ClipReader
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
    with pytest.raises(ValueError, match="templates 'kinetics' are for two towers"):
        ActionInferencer(config, str(tmp_path / 'model.pth'), templates='kinetics')


def test_a_recognizer_without_names_says_so_and_takes_them(videos, tmp_path, monkeypatch):
    said = []
    for place in ('readable_inputs', 'model_loading'):
        monkeypatch.setattr(f'florence.apis.{place}.print_log', lambda message, **_: said.append(message))
    numbered = ActionInferencer(recognizer_config())
    named = ActionInferencer(recognizer_config(), classes=CLASSES)
    named.model.load_state_dict(numbered.model.state_dict())
    assert said[0] == said[2] == 'no checkpoint was given: the weights are random.'
    assert len(said) == 3 and 'no class names are known, their numbers stand for them: give names, by --classes' in said[1]
    numbers, names = ([one['label'] for one in model(videos[:1])[0]['classes']] for model in (numbered, named))
    assert sorted(numbers) == ['0', '1', '2'] and names == [CLASSES[int(number)] for number in numbers]


def test_short_videos_are_classified(tmp_path):
    inferencer = ActionInferencer(recognizer_config())
    paths = [write_moving_square(tmp_path / f'{length}.mp4', length=length) for length in (1, 3)]
    assert [len(result['classes']) for result in inferencer(paths)] == [3, 3]


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda folder: folder / 'none.mp4', "no video file '.*none.mp4': check the path"),
        (lambda folder: write_sound(folder / 'sound.wav'), 'sound.wav'),
        (lambda folder: _written(folder / 'empty.mp4', b''), 'empty.mp4'),
        (lambda folder: _written(folder / 'text.mp4', b'no video at all ' * 99), 'text.mp4'),
        (lambda folder: _cut(write_moving_square(folder / 'cut.mp4')), 'cut.mp4'),
    ],
)
def test_a_bad_file_is_named(tmp_path, make, message):
    inferencer = ActionInferencer(recognizer_config())
    with pytest.raises(ValueError, match=f'no video can be read: .*{message}') as raised:
        inferencer([make(tmp_path)])
    assert '\n' not in str(raised.value)


def _opening(decoder):
    if decoder.islower():
        return [dict(type='florence.OpenVideo', backend=decoder), *OPENING[1:]]
    sampled = dict(type='mmaction.SampleFrames', clip_len=4, frame_interval=1, num_clips=1, test_mode=True)
    return [dict(type=f'mmaction.{decoder}Init'), sampled, dict(type=f'mmaction.{decoder}Decode'), *OPENING[3:]]


@pytest.mark.parametrize(
    ('decoder', 'package'),
    [
        ('pyav', 'av'),
        ('decord', 'decord'),
        ('opencv', 'cv2'),
        ('torchcodec', 'torchcodec'),
        ('PyAV', 'av'),
        ('Decord', 'decord'),
        ('OpenCV', 'cv2'),
    ],
)
def test_a_video_that_is_cut_in_the_middle(tmp_path, decoder, package):
    """The header is whole: decoders open the file, and each has its own error where the pictures end."""
    pytest.importorskip(package)
    path = write_moving_square(tmp_path / 'cut.mp4', length=40, width=64, options={'movflags': 'faststart'})
    config = recognizer_config()
    config.inference_pipeline = _opening(decoder) + config.inference_pipeline[len(OPENING) :]
    reader = ClipReader(config, 'mmaction')
    content = path.read_bytes()
    results = []
    for end in (len(content), len(content) // 2, content.index(b'mdat') + 9):
        path.write_bytes(content[:end])
        try:
            results.append(tuple(reader.read(path)['inputs'].shape))
        except ValueError as error:
            assert 'cut.mp4' in str(error) and '\n' not in str(error)
            results.append('no picture')
    whole = (1, 3, 4, 32, 32)
    assert results[0] == whole and results[1] in (whole, 'no picture') and results[2] == 'no picture'


def test_an_error_of_any_kind_is_one_sentence(tmp_path):
    """decord's and OpenCV's errors are derived from nothing but Exception, and go on with a stack trace."""

    class DecoderError(Exception):
        pass

    def fail(results):
        raise DecoderError('Check failed\nStack trace:\n 0x1234')

    reader = ClipReader(recognizer_config(), 'mmaction')
    reader.pipeline = fail
    with pytest.raises(ValueError, match=r"a\.mp4' cannot be read: DecoderError Check failed$"):
        reader.read(write_moving_square(tmp_path / 'a.mp4'))


@pytest.mark.parametrize('place', ['test_dataloader', 'val_dataloader'])
@pytest.mark.parametrize(
    'wrap',
    [
        lambda inner: inner,
        lambda inner: dict(type='RepeatDataset', times=2, dataset=inner),
        lambda inner: dict(type='ConcatDataset', datasets=[dict(type='RepeatDataset', times=2, dataset=inner), inner]),
    ],
)
def test_the_pipeline_is_found_inside_wrapped_test_data(tmp_path, place, wrap):
    config = recognizer_config()
    pipeline = config.pop('inference_pipeline')
    config[place] = dict(batch_size=2, dataset=wrap(dict(type='florence.ActionClips', pipeline=pipeline)))
    reader = ClipReader(config, 'mmaction')
    assert reader.read(write_moving_square(tmp_path / 'a.mp4'))['inputs'].shape == (1, 3, 4, 32, 32)


def test_one_bad_file_among_many_is_left_out_and_named(videos, image_checkpoint, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(readable_inputs, 'print_log', lambda message, **_: said.append(message))
    bad = [_written(tmp_path / 'text.mp4', b'no video at all ' * 99), tmp_path / 'none.mp4']
    given = [bad[0], videos[0], bad[1], videos[2]]
    actions = ActionInferencer(two_tower_config('frames'), image_checkpoint, classes=CLASSES)
    assert actions(given, out_dir=tmp_path / 'out') == actions([videos[0], videos[2]])
    assert [Path(line).name for line in (tmp_path / 'out').iterdir()] == ['actions.png']
    assert len(said) == 1 and said[0].splitlines()[0] == '2 of 4 videos are left out:'
    assert ['text.mp4' in line for line in said[0].splitlines()[1:]] == [True, False] and 'none.mp4' in said[0]
    retrieval = VideoRetrievalInferencer(two_tower_config('frames'), image_checkpoint)
    assert retrieval.retrieve(given, ['a square']) == retrieval.retrieve([videos[0], videos[2]], ['a square'])
    with pytest.raises(ValueError, match='no video can be read: .*text.mp4'):
        retrieval.retrieve(bad, ['a square'])
    assert said[-1].startswith('2 of 2 videos are left out')


def test_pictures_are_of_so_many_rows_and_of_what_is_shown(videos, image_checkpoint, tmp_path, monkeypatch):
    said, drawn, sizes = [], [], []
    monkeypatch.setattr(readable_inputs, 'print_log', lambda message, **_: said.append(message))
    for module in (action_inferencer, video_retrieval_inferencer, video_inputs):
        monkeypatch.setattr(module, 'MAX_ROWS', 2)
    monkeypatch.setattr(action_inferencer, 'draw_film_strips', lambda clips, path: drawn.extend(clips))
    actions = ActionInferencer(two_tower_config('frames'), image_checkpoint, classes=CLASSES)
    actions.reader.pipeline.transforms[1].clip_len = 9
    assert len(actions(videos, out_dir=tmp_path)) == 3
    assert [clip.frames.shape for clip in drawn] == [(6, 32, 32, 3)] * 2 and all(clip.frames.base is None for clip in drawn)
    assert said == ['actions.png shows the first 2 of 3.']
    monkeypatch.setattr(video_retrieval_inferencer, 'draw_retrieval_gallery', lambda queries, *_, **__: drawn.append(queries))
    retrieval = VideoRetrievalInferencer(two_tower_config('frames'), image_checkpoint)
    read = retrieval.reader.read
    monkeypatch.setattr(retrieval.reader, 'read', lambda path: sizes.append(path) or read(path))
    texts = ['a red square', 'a blue square', 'a green square']
    found = retrieval.retrieve(videos, texts, num_results=1)
    assert len(sizes) == 3, 'without out_dir no video is read for a picture'
    assert found == retrieval.retrieve(videos, texts, num_results=1, out_dir=tmp_path)
    assert len(drawn[-1]) == 2 and said[-1] == 'retrieval.png shows the first 2 of 3.'
    assert len(sizes) == 9, 'once for the embedding, once for the picture'


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
    (tmp_path / 'names.txt').write_text('moves left\ngrows, then shrinks\n', encoding='utf-8')
    results = tool('action', '--classes', str(tmp_path / 'names.txt'))
    assert {one['label'] for one in results[0]['classes']} == {'moves left', 'grows, then shrinks'}
    with pytest.raises(SystemExit):
        tool('action', '--classes', str(tmp_path / 'names.txt'), '--text', 'grows')
    assert 'argument --text: not allowed with argument --classes' in capsys.readouterr().err
