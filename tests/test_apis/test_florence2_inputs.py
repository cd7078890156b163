"""Wide and tall images through a square, a rectangular and a padded input: answers are in pixels of the file."""

import json

import numpy as np
import pytest
from florence2_files import write_florence2
from mmengine.config import Config
from PIL import Image

from florence.apis import Florence2Inferencer
from florence.engine.launch import build_runner
from florence.models.florence2 import Florence2
from florence.models.seq2seq import Hypothesis

SIZES = {'wide.png': (200, 50), 'tall.png': (60, 150), 'square.png': (64, 64)}
BOX = (0.25, 0.5, 0.75, 0.9)
INPUTS = pytest.mark.parametrize(
    ('image_size', 'keep_ratio'), [(64, False), ((64, 96), False), (64, True), ((64, 96), True), ((96, 32), True)]
)


def box_in_file(name):
    return [share * side for share, side in zip(BOX, SIZES[name] * 2, strict=True)]


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    folder = write_florence2(tmp_path_factory.mktemp('florence2'))
    records = []
    for name, size in SIZES.items():
        Image.fromarray(np.full((*size[::-1], 3), 90, np.uint8)).save(folder / name)
        records.append({'image': name, 'regions': [{'box': box_in_file(name), 'phrase': 'seven'}]})
    (folder / 'records.json').write_text(json.dumps(records))
    return folder


@pytest.fixture
def seen(monkeypatch, image_size, keep_ratio):
    """Images that the model gets; it then answers with the box where it stands in them, counted by hand."""
    shapes = []
    encode = Florence2.encode_images
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size

    def encode_images(self, inputs):
        shapes.append(tuple(inputs.shape[2:]))
        return encode(self, inputs)

    def generate(self, tokens, prompts, names):
        return [[answer(self.tokenizer.tokenizer, name.split('/')[-1])] for name in names]

    def answer(words, name):
        file_width, file_height = SIZES[name]
        stretch = (width / file_width, height / file_height)
        if keep_ratio:
            stretch = (min(stretch),) * 2
        pixels = [value * factor for value, factor in zip(box_in_file(name), stretch * 2, strict=True)]
        bins = [int(1000 * value / side) for value, side in zip(pixels, (width, height) * 2, strict=True)]
        text = 'seven' + ''.join(f'<loc_{number}>' for number in bins)
        tokens = tuple(words.encode_targets([text], ['x'])['input_ids'][0, 1:-1].tolist())
        return Hypothesis(tokens, -0.5, (-0.5,) * len(tokens), True)

    monkeypatch.setattr(Florence2, 'encode_images', encode_images)
    monkeypatch.setattr(Florence2, 'generate', generate)
    return shapes


@INPUTS
def test_the_inferencer_gives_boxes_of_the_file(files, seen, image_size, keep_ratio):
    config = Config.fromfile(files / 'config.py')
    config.merge_from_dict(dict(image_size=image_size, keep_ratio=keep_ratio))
    inferencer = Florence2Inferencer(config, str(files / 'model.pth'))
    results = inferencer([str(files / name) for name in SIZES], ['<OD>'])
    for name, result in zip(SIZES, results, strict=True):
        # A bin of a padded input is as wide as a thousandth of its longer side.
        assert result['boxes'][0] == pytest.approx(box_in_file(name), abs=max(SIZES[name]) / 200)
    assert set(seen) == {(image_size, image_size) if isinstance(image_size, int) else image_size}


@INPUTS
def test_an_evaluation_compares_in_pixels_of_the_file(files, seen, image_size, keep_ratio, tmp_path):
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    resize = dict(type='ResizePad' if keep_ratio else 'ResizeWhole', height=height, width=width)
    config = Config.fromfile(files / 'config.py')
    for key in [key for key in config if key.startswith(('train_', 'val_', 'optim', 'param_'))]:
        config.pop(key)
    config.test_cfg = dict(type='TestLoop')
    config.test_evaluator = dict(type='TaskAnswers')
    config.test_dataloader = dict(
        batch_size=3,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='ImageRecords',
            ann_file='records.json',
            data_root=str(files),
            test_mode=True,
            pipeline=[dict(type='LoadImage'), resize, dict(type='AskTask', tag='<OD>'), dict(type='PackImageText')],
        ),
    )
    config.work_dir, config.load_from, config.custom_hooks = str(tmp_path), str(files / 'model.pth'), []
    config.log_level = 'WARNING'
    figures = build_runner(config).test()
    assert figures['OD/mAP'] == pytest.approx(100, abs=0.1)
    assert seen == [(height, width)]


@pytest.mark.parametrize(('image_size', 'keep_ratio'), [((64, 96), True)])
def test_what_is_read_in_the_padding_is_cut_and_regions_are_asked_for_on_the_canvas(files, seen, monkeypatch):
    config = Config.fromfile(files / 'config.py')
    config.merge_from_dict(dict(image_size=(64, 96), keep_ratio=True))
    inferencer = Florence2Inferencer(config, str(files / 'model.pth'))
    asked = []

    def generate(self, tokens, prompts, names):
        asked.extend(prompts)
        ids = self.tokenizer.tokenizer.encode_targets(['one<loc_0><loc_0><loc_999><loc_999>'], ['x'])['input_ids'][0, 1:-1]
        return [[Hypothesis(tuple(ids.tolist()), -0.5, (-0.5,) * len(ids), True)] for _ in prompts]

    monkeypatch.setattr(Florence2, 'generate', generate)
    found = inferencer([str(files / 'tall.png')], ['<OD>', ('<REGION_TO_OCR>', [0, 0, 60, 150])])
    assert found[0]['boxes'][0] == pytest.approx([0.1, 0.08, 60, 149.93], abs=0.1)  # 64 of 150 pixels: the canvas is 225 wide
    locations = [int(part.split('>')[0]) for part in asked[1].split('<loc_')[1:]]
    assert locations == pytest.approx([0, 0, 1000 * 60 / (96 / 26 * 60), 999], abs=1)
