"""Florence-2 as ONNX graphs: the tools as a user calls them, and answers beside those of PyTorch."""

import json
import runpy
import shutil
import sys

import pytest
import torch
from conftest import REPO_ROOT
from mmengine.config import Config
from PIL import Image
from tiny_florence2 import POSITIONS, PROMPTS, SIZES, VOCAB_SIZE, tokenizer_state

from florence.apis import Florence2Inferencer
from florence.export import florence2_export
from florence.export.florence2_graphs import florence2_graphs
from florence.export.florence2_onnx import Florence2Onnx
from florence.models.seq2seq import BeamSettings
from florence.registry import MODELS

TOOL = str(REPO_ROOT / 'tools/model_converters/florence2_to_onnx.py')
MODEL = dict(
    type='Florence2',
    vision_tower=dict(
        type='DaViT',
        # 64 x 96 px: maps of 16 x 24 and 8 x 12, which windows of 5 do not divide.
        arch=dict(embed_dims=(8, 16), depths=(1, 1), num_heads=(1, 2), window_size=5, drop_path_rate=0.0),
        out_indices=(1,),
    ),
    language_model=dict(arch=SIZES, max_positions=2 * POSITIONS, drop_rate=0.0),
    tokenizer=dict(type='Florence2Tokenizer', vocabulary='trained', vocab_size=VOCAB_SIZE, context_length=2 * POSITIONS),
    projector=dict(max_map_size=12, max_frames=1, position_std=1.0),
    search=dict(num_beams=3, max_new_tokens=14),
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A config, its weights, an image, and their exports in `fp32` and `int8`."""
    for package in ('onnx', 'onnxscript', 'onnxruntime'):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp('onnx')
    Config(dict(model=MODEL, image_size=(64, 96))).dump(folder / 'config.py')
    torch.manual_seed(0)
    model = MODELS.build(MODEL)
    model.tokenizer.set_extra_state(tokenizer_state())
    for parameter in model.language_model.parameters():
        parameter.data.mul_(8)  # so that answers are not all alike
    table = model.language_model.token_embedding.weight.data
    table[2] = (table[329] + table[804]) / 2**0.5  # like tokens that these weights often want: so answers end
    torch.save({'state_dict': model.state_dict()}, folder / 'model.pth')
    Image.effect_noise((100, 80), 90).convert('RGB').save(folder / 'noise.png')
    export = runpy.run_path(TOOL)['main']
    for name, options in (('fp32', []), ('int8', ['--int8'])):
        export([str(folder / 'config.py'), str(folder / 'model.pth'), str(folder / name), *options])
    return folder


@pytest.fixture(scope='module')
def models(folder):
    """The model in PyTorch, and exported."""
    return Florence2Inferencer(str(folder / 'config.py'), str(folder / 'model.pth')).model, Florence2Onnx(folder / 'fp32')


@pytest.mark.parametrize('num_beams', [1, 3])
def test_answers_are_those_of_pytorch(models, num_beams):
    torch.manual_seed(1)
    images = torch.randn(len(PROMPTS), 3, 64, 96)
    search = BeamSettings(num_beams=num_beams, max_new_tokens=40, no_repeat_ngram_size=3, early_stopping=num_beams > 1)
    torch_model, exported = models
    with torch.no_grad():
        wanted_tokens = torch_model.encode_images(images)
    found_tokens = exported.encode_images(images)
    torch.testing.assert_close(found_tokens, wanted_tokens, rtol=1e-4, atol=1e-4)
    wanted = torch_model.generate(wanted_tokens, PROMPTS, search)  # prompts of several lengths: some are padded
    found = exported.generate(found_tokens, PROMPTS, search)
    assert [[answer.tokens for answer in item] for item in found] == [[answer.tokens for answer in item] for item in wanted]
    assert len({item[0].tokens for item in wanted}) > 1 and len({len(item[0].tokens) for item in wanted}) > 1
    for item, other in zip(found, wanted, strict=True):
        for answer, right in zip(item, other, strict=True):
            # The large weights of this model enlarge what float32 rounds.
            assert answer.log_probs == pytest.approx(right.log_probs, abs=2e-2)
    one_image = exported.generate(found_tokens[:1], PROMPTS[:2], search)
    assert one_image[0][0].tokens == found[0][0].tokens


def test_the_tool_infers_as_with_pytorch(folder, capsys, monkeypatch):
    results = []
    for model in (['--model', 'config.py', '--checkpoint', 'model.pth'], ['--onnx', 'fp32']):
        model = [part if part.startswith('-') else str(folder / part) for part in model]
        asked = ['--task', '<OD>', '--task', '<CAPTION>', '--out', str(folder / 'out')]
        monkeypatch.setattr(sys, 'argv', ['infer.py', 'florence2', str(folder / 'noise.png'), *model, *asked])
        runpy.run_path(str(REPO_ROOT / 'tools/infer.py'), run_name='__main__')
        results.append(json.loads(capsys.readouterr().out))
    for wanted, found in zip(*results, strict=True):
        assert found['answer'] == wanted['answer'] and found.get('boxes') == wanted.get('boxes')


def test_the_folder_says_what_it_is(folder):
    facts = json.loads((folder / 'int8/florence2.json').read_text())
    assert facts['image_size'] == [64, 96] and facts['precision'] == 'int8' and facts['opset'] == 18
    assert facts['mean'] == pytest.approx([123.675, 116.28, 103.53]) and facts['search']['num_beams'] == 3
    assert facts['vocabulary'] == Florence2Onnx(folder / 'int8').tokenizer.tokenizer.vocabulary_hash()


# The large weights of this model enlarge the difference of the encoder.
@pytest.mark.parametrize(('name', 'far'), [('vision_encoder', 0.05), ('encoder_model', 0.6), ('decoder_model', 0.05)])
def test_int8_is_smaller_and_near(folder, models, name, far):
    paths = [folder / precision / f'{name}.onnx' for precision in ('int8', 'fp32')]
    assert paths[0].stat().st_size < paths[1].stat().st_size
    graph = florence2_graphs(models[0], (64, 96))[name]
    with torch.no_grad():
        assert 1e-4 < florence2_export.difference(graph, paths[0]) < far


@pytest.mark.parametrize(
    ('damage', 'kind', 'message'),
    [
        (
            lambda folder: (folder / 'florence2.json').unlink(),
            FileNotFoundError,
            'no exported Florence-2 at .*florence2_to_onnx.py',
        ),
        (lambda folder: _edit(folder / 'florence2.json', 'format', 0), ValueError, 'has format 0, expected 1: export'),
        (lambda folder: _edit(folder / 'florence2.json', 'vocabulary', 'x'), ValueError, 'not the vocabulary of this model'),
        (lambda folder: (folder / 'encoder_model.onnx').unlink(), FileNotFoundError, 'no graph .*encoder_model.onnx'),
        (lambda folder: (folder / 'decoder_model.onnx').write_bytes(b'no'), ValueError, 'decoder_model.onnx is no graph'),
    ],
)
def test_damaged_folders_are_named(folder, tmp_path, damage, kind, message):
    shutil.copytree(folder / 'fp32', tmp_path / 'copy')
    damage(tmp_path / 'copy')
    with pytest.raises(kind, match=message):
        Florence2Onnx(tmp_path / 'copy')


def _edit(path, field, value):
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))


def test_mistakes_get_a_sentence(folder, models, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r'exported for images \(B, 3, 64, 96\), got \(1, 3, 96, 96\)'):
        models[1].encode_images(torch.zeros(1, 3, 96, 96))
    with pytest.raises(ValueError, match="sample '0': an image of 97 tokens with its prompt makes"):
        models[1].generate(torch.zeros(1, 97, 32), ['dog ' * 100])
    with pytest.raises(FileExistsError, match='fp32 exists: name a new folder'):
        florence2_export.export_florence2(models[0], (64, 96), folder / 'fp32')
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ImportError, match='pip install onnxruntime'):
        Florence2Onnx(folder / 'fp32')
    with pytest.raises(SystemExit, match='error: .*onnxruntime.*pip install onnx onnxscript onnxruntime'):
        runpy.run_path(TOOL)['main']([str(folder / 'config.py'), str(folder / 'model.pth'), str(tmp_path / 'new')])
    assert not (tmp_path / 'new').exists()


def test_a_graph_that_differs_leaves_no_folder(models, tmp_path, monkeypatch):
    graphs = florence2_graphs(models[0], (64, 96))
    monkeypatch.setattr(florence2_export, 'florence2_graphs', lambda *_: {'embed_tokens': graphs['embed_tokens']})
    with pytest.raises(ValueError, match='embed_tokens differs from PyTorch by .*more than the tolerance'):
        florence2_export.export_florence2(models[0], (64, 96), tmp_path / 'new', tolerance=-1)
    assert not list(tmp_path.iterdir())
