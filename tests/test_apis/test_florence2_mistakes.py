"""What a user of Florence-2 can get wrong: each ends with the sentence that docs/florence2.md lists."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from florence2_files import write_florence2
from mmengine import MessageHub
from PIL import Image
from test_tools.test_infer_detection import in_process

from florence.apis import Florence2Inferencer
from florence.datasets.transforms import DrawTasks
from florence.engine.hooks import FiniteLossHook
from florence.structures import ImageTextSample


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """As `write_florence2` does, beside files that are no images."""
    folder = write_florence2(tmp_path_factory.mktemp('florence2'))
    (folder / 'cut.png').write_bytes((folder / '2.png').read_bytes()[:4000])
    Image.fromarray(np.ones((8, 8), np.float32)).save(folder / 'float.tiff')
    return folder


@pytest.fixture(scope='module')
def inferencer(files):
    return Florence2Inferencer(str(files / 'config.py'), str(files / 'model.pth'))


def ask(*question, image='0.png'):
    return lambda inferencer, files: inferencer([str(files / image)], [question if len(question) > 1 else question[0]])


def draw(**record):
    sample = {'sample_id': 'a.png', 'img': np.zeros((48, 64, 3), np.uint8), 'record': {'image': 'a.png', **record}}
    return lambda *_: DrawTasks({'<CAPTION>': 1, '<OD>': 1}).transform(sample)


def learn(prompt, target, weights=1.0):
    """A step of a training, and what is done after each."""

    def step(inferencer, files):
        model = inferencer.model
        sample = ImageTextSample(metainfo=dict(sample_id='a.png'), prompt=prompt, target=target)
        losses = model.loss(torch.full((1, 3, 64, 64), weights), [sample])
        hub = MessageHub.get_instance('florence2_mistakes')
        runner = SimpleNamespace(iter=4, work_dir=str(files), message_hub=hub)
        FiniteLossHook().after_train_iter(runner, 0, {'data_samples': [sample]}, losses)

    return step


def load(folder, **changes):
    """The weights of a model of other sizes or words."""

    def build(inferencer, files):
        (files / folder).mkdir(exist_ok=True)
        write_florence2(files / folder, **changes)
        Florence2Inferencer(str(files / 'config.py'), str(files / folder / 'model.pth'))

    return build


WIDER = dict(_delete_=True, embed_dims=(64, 64, 128, 256), depths=(1, 1, 1, 1), num_heads=(2, 2, 4, 8), window_size=4)
DEEPER = dict(embed_dims=128, num_layers=3, num_heads=4, mlp_dims=512)
MISTAKES = {
    'unknown task': (ask('<ODD>'), "no task '<ODD>'. Did you mean '<OD>'?"),
    'unknown task in training': (lambda *_: DrawTasks({'<CAPTIO>': 1}), "no task '<CAPTIO>'. Did you mean '<CAPTION>'"),
    'input of a task without': (ask('<OD>', 'cats'), "task <OD> takes no input, got 'cats'"),
    'no input': (ask('<VQA>'), 'task <VQA> needs a text'),
    'empty input': (ask('<VQA>', ' '), "task <VQA> needs a text, got ' '"),
    'no region': (ask('<REGION_TO_OCR>', 'here'), 'task <REGION_TO_OCR> needs a region: a box [x1, y1, x2, y2] in pixels'),
    'region outside': (ask('<REGION_TO_OCR>', [70, 5, 80, 9]), 'outside the image of 64 x 64 pixels'),
    'region without area': (ask('<REGION_TO_OCR>', [7, 5, 7, 9]), 'must be x1, y1, x2, y2 with x1 < x2 and y1 < y2'),
    'token in input': (
        ask('<VQA>', 'what is <loc_1000>?'),
        '<loc_1000> in the input of task <VQA> is no location token: they go from <loc_0> to <loc_999>',
    ),
    'token in prompt': (learn('<loc_1000>', 'x'), "<loc_1000> in the prompt of sample 'a.png' is no location token"),
    'token in target': (learn('What?', 'x<loc_1000>'), "<loc_1000> in the target of sample 'a.png' is no location token"),
    'long target': (
        learn('What?', '<loc_1>' * 600),
        "the target of sample 'a.png' has 602 tokens, the decoder has 512 positions",
    ),
    'long prompt': (learn('<loc_1>' * 500, 'x'), "sample 'a.png': an image of 65 tokens with its prompt makes 567 tokens"),
    'not finite': (
        learn('What?', 'x', float('nan')),
        'loss_text is nan at iteration 5; the 1 samples of the batch are listed in',
    ),
    'cut image': (ask('<OD>', image='cut.png'), 'cannot decode image'),
    'missing image': (ask('<OD>', image='none.png'), 'cannot open image'),
    '32-bit image': (ask('<OD>', image='float.tiff'), 'its pixels are 32-bit numbers (mode F), save it with 8 or 16 bits'),
    'empty text': (draw(texts=dict(brief='')), "the brief text of a.png must be a text, got ''"),
    'box without area': (
        draw(regions=[dict(box=[7, 5, 7, 9], phrase='x')]),
        'the box of region 0 of a.png must be x1, y1, x2, y2 with x1 < x2 and y1 < y2',
    ),
    'box outside': (
        draw(regions=[dict(box=[7, 50, 9, 60], phrase='x')]),
        'the box of region 0 of a.png is [7.0, 50.0, 9.0, 60.0], outside the image of 64 x 48 pixels',
    ),
    'tower of another size': (load('wide', **{'model.vision_tower.arch': WIDER}), 'is of another arch than this DaViT'),
    'language model of another size': (load('deep', **{'model.language_model.arch': DEEPER}), 'does not fit this model'),
    'other words': (load('words', **{'model.tokenizer.vocab_size': 1700}), 'the checkpoint was made with tokenizer'),
}


@pytest.mark.parametrize('name', MISTAKES)
def test_a_mistake_gets_the_sentence_of_the_manual(name, inferencer, files, repo_root):
    do, sentence = MISTAKES[name]
    with pytest.raises((KeyError, ValueError)) as caught:
        do(inferencer, files)
    assert sentence in caught.value.args[0] and '\n' not in caught.value.args[0]
    manual = (repo_root / 'docs/florence2.md').read_text()
    assert sentence in manual.replace('\\|', '|'), 'docs/florence2.md lists every mistake'


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['--task', '<OD>', '--text', 'cats'], "--text 'cats' has no use: <OD> take no input"),
        (['--task', '<OD'], "no task '<OD'. Did you mean '<OD>'?"),
        (['--task', '<OPEN_VOCABULARY_DETECTION>', '--text', ' , '], 'needs a class name, or a list of them'),
    ],
)
def test_the_tool_ends_with_a_sentence(arguments, sentence, files, monkeypatch, repo_root):
    model = ['--model', str(files / 'config.py'), '--checkpoint', str(files / 'model.pth')]
    with pytest.raises(SystemExit) as ended:
        in_process(monkeypatch, repo_root, ['tools/infer.py', 'florence2', str(files / '0.png'), *model, *arguments])
    assert sentence in str(ended.value.code)


def test_what_is_wrong_with_a_question_is_said_before_weights_are_loaded(monkeypatch, repo_root):
    given = ['a.png', '--model', 'none', '--checkpoint', 'none.pth', '--task', '<ODD>']
    with pytest.raises(SystemExit, match="no task '<ODD>'"):
        in_process(monkeypatch, repo_root, ['tools/infer.py', 'florence2', *given])
    given[2], given[-1] = 'florence2-nano_14min_digit', '<OD>'
    with pytest.raises(SystemExit, match=r"0 configs have that name: give a path\. Did you mean 'florence2-nano_14min_digits'"):
        in_process(monkeypatch, repo_root, ['tools/infer.py', 'florence2', *given])


def test_a_folder_with_a_broken_image(files, monkeypatch, repo_root, tmp_path, capsys):
    for name in ('0.png', 'cut.png'):
        (tmp_path / name).write_bytes((files / name).read_bytes())
    Image.open(files / '1.png').save(tmp_path / '1.gif')
    given = [str(tmp_path), '--model', str(files / 'config.py'), '--checkpoint', str(files / 'model.pth'), '--task', '<OD>']
    in_process(monkeypatch, repo_root, ['tools/infer.py', 'florence2', *given])
    output = capsys.readouterr().out
    assert [Path(each['path']).name for each in json.loads(output[output.index('[\n') :])] == ['0.png', '1.gif']


def modes():
    colours = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 64, 3), np.uint8))
    grey = colours.convert('L')
    see_through = colours.copy()
    see_through.putalpha(grey)
    on_white = Image.alpha_composite(Image.new('RGBA', colours.size, 'white'), see_through).convert('RGB')
    deep = np.asarray(grey).astype(np.uint16) * 257
    palette = colours.quantize(16)
    inks = colours.convert('CMYK')
    return {
        'cmyk': (inks, 'tiff', inks.convert('RGB')),
        'palette': (palette, 'png', palette.convert('RGB')),
        'grey': (grey, 'png', grey.convert('RGB')),
        '16-bit': (Image.fromarray(deep), 'png', grey.convert('RGB')),
        'alpha': (see_through, 'png', on_white),
        'two colours': (grey.convert('1'), 'png', grey.convert('1').convert('RGB')),
    }


@pytest.mark.parametrize('mode', modes())
def test_every_mode_of_a_file_is_read_as_pillow_converts_it(mode, inferencer, tmp_path, monkeypatch):
    image, ending, expected = modes()[mode]
    image.save(tmp_path / f'as_is.{ending}')
    expected.save(tmp_path / 'rgb.png')
    with Image.open(tmp_path / f'as_is.{ending}') as saved:
        assert saved.mode != 'RGB'
    seen = []
    encode = inferencer.model.encode_images
    monkeypatch.setattr(inferencer.model, 'encode_images', lambda inputs: seen.append(inputs) or encode(inputs))
    found = inferencer([str(tmp_path / f'as_is.{ending}'), str(tmp_path / 'rgb.png')], ['<CAPTION>'])
    ((as_is, rgb),) = seen
    torch.testing.assert_close(as_is, rgb, atol=0, rtol=0)
    assert found[0]['answer'] == found[1]['answer']
