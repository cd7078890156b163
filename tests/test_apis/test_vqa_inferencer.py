"""Questions about files: same answers as the model's, each image encoded once, pictures, mistakes."""

import json

import numpy as np
import pytest
import torch
from meter_files import write_meter
from mmengine.config import Config
from PIL import Image
from test_tools.test_infer_detection import in_process
from tiny_meter import make_samples

from florence.apis import VQAInferencer
from florence.apis.image_inputs import load_crops
from florence.apis.word_attention import WHOLE, word_attention
from florence.models.fusion import cross_attention_weights

QUESTIONS = ['what color is the seven?', 'how many digits are there?', 'is the two left of the nine?']


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Config, checkpoint and three photographs of noise, one wide, one tall."""
    folder = tmp_path_factory.mktemp('vqa')
    config, weights = write_meter(folder)
    paths = []
    for index, size in enumerate([(32, 32), (40, 64), (90, 33)]):
        paths.append(str(folder / f'{index}.png'))
        Image.fromarray(np.random.default_rng(index).integers(0, 256, (*size, 3), np.uint8)).save(paths[-1])
    return str(config), str(weights), paths


@pytest.fixture
def inferencer(files):
    return VQAInferencer(files[0], files[1], batch_size=2)


def test_every_question_about_every_image(inferencer, files):
    paths = files[2]
    found = inferencer(paths, QUESTIONS, num_answers=3)
    assert [(each['path'], each['question']) for each in found] == [(path, text) for path in paths for text in QUESTIONS]
    for index, path in enumerate(paths):
        _, (image,) = load_crops(path, inferencer.image_size)
        for place, question in enumerate(QUESTIONS):
            data = {'inputs': [torch.from_numpy(image).permute(2, 0, 1)], 'data_samples': make_samples([question])}
            (sample,) = inferencer.model.test_step(data)
            result = found[3 * index + place]
            assert result['answer'] == sample.pred_answer and tuple(result['answers']) == sample.pred_answers[:3]
            assert list(result['answers'].values()) == pytest.approx(sample.pred_answer_scores[:3], abs=1e-5)
    assert len({each['answers'][each['answer']] for each in found}) == 9  # the answers depend on both


def test_an_image_is_encoded_once(inferencer, files):
    encoded = []
    inferencer.model.encoder.image_tower.register_forward_pre_hook(lambda _, inputs: encoded.append(len(inputs[0])))
    inferencer(files[2], QUESTIONS)
    assert encoded == [2, 1]


def test_a_question_for_each_image(inferencer, files):
    paths = files[2]
    every = {(each['path'], each['question']): each['answers'] for each in inferencer(paths, QUESTIONS)}
    paired = inferencer(paths, QUESTIONS, paired=True)
    assert [(each['path'], each['question']) for each in paired] == list(zip(paths, QUESTIONS, strict=True))
    for each in paired:
        assert each['answers'] == pytest.approx(every[each['path'], each['question']], abs=1e-5)
    with pytest.raises(ValueError, match='as many of both, got 3 images and 2 questions'):
        inferencer(paths, QUESTIONS[:2], paired=True)


def test_all_answers_when_more_are_asked_for(inferencer, files):
    (result,) = inferencer(files[2][:1], QUESTIONS[:1], num_answers=100)
    assert len(result['answers']) == 28
    probabilities = list(result['answers'].values())
    assert probabilities == sorted(probabilities, reverse=True) and 0 < probabilities[-1] < probabilities[0] < 1


def test_a_long_question_is_cut_once(inferencer, files):
    long = 'is there a seven ' + 'and a two ' * 100
    (result,) = inferencer(files[2][:1], [long])
    assert result['question'] == long and inferencer.model.tokenizer.tokenizer.num_truncated == 1


@pytest.mark.parametrize(
    ('paths', 'questions', 'options', 'message'),
    [
        ([0], ['how many?', ' '], {}, 'question 2 of 2 is empty'),
        ([0], [None], {}, 'question 1 of 1 is empty or no text'),
        ([0], [], {}, r'a list of one question or more, got \[\]'),
        ([], ['how many?'], {}, 'one image or more, got none'),
        ([0], 'how many?', {}, "a list of one question or more, got 'how many"),
        ([0], ['how many?'], {'num_answers': 0}, 'num_answers must be 1 or more, got 0'),
        ([0], ['how many?'], {'attention': True}, 'pictures of attention need a folder'),
        (['none.png'], ['how many?'], {}, 'cannot open image none.png'),
    ],
)
def test_mistakes_get_a_sentence(inferencer, files, paths, questions, options, message):
    paths = [files[2][path] if isinstance(path, int) else path for path in paths]
    with pytest.raises(ValueError, match=message):
        inferencer(paths, questions, **options)


def test_batches_hold_something(files):
    with pytest.raises(ValueError, match='batch_size must be 1 or more, got 0'):
        VQAInferencer(files[0], files[1], batch_size=0)


def test_pictures(inferencer, files, tmp_path):
    found = inferencer(files[2][:2], QUESTIONS[:2], out_dir=tmp_path, attention=True)
    names = [f'attention_{number}.png' for number in range(1, 5)]
    assert [each['attention'] for each in found] == [str(tmp_path / name) for name in names]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*names, 'vqa.png']
    sheets = [np.asarray(Image.open(tmp_path / name).convert('RGB')) for name in [*names, 'vqa.png']]
    assert all(sheet.std() > 10 for sheet in sheets)
    assert (sheets[0].shape != sheets[1].shape) or (sheets[0] != sheets[1]).any()


@torch.no_grad()
def test_attention_of_words_is_that_of_their_tokens(inferencer, files):
    model = inferencer.model
    _, (image,) = load_crops(files[2][0], inferencer.image_size)
    attended = word_attention(model, image, QUESTIONS[2])
    assert list(attended.words) == [WHOLE, 'is', 'the', 'two', 'left', 'of', 'the', 'nine?']
    assert attended.heat.shape == (2, 8, 32, 32)
    np.testing.assert_allclose(attended.heat.mean((2, 3)), 1, atol=1e-5)
    encoder = model.encoder
    tokens, mask = encoder.encode_text([QUESTIONS[2]])
    inputs = model.data_preprocessor({'inputs': [torch.from_numpy(image).permute(2, 0, 1)]})['inputs']
    weights = cross_attention_weights(encoder.fusion, tokens, encoder.encode_image(inputs), mask)[:, 0].mean(1)
    # 2 x 2 cells of 256 pixels, then one cell over everything: 1 = the same everywhere.
    corner = 4 * weights[:, 0, 1] + weights[:, 0, 4]
    np.testing.assert_allclose(attended.heat[:, 0, 3, 28], corner, atol=1e-5)
    pieces = {number: piece for piece, number in model.tokenizer.tokenizer.vocabulary().items()}
    ids = model.tokenizer.encode([QUESTIONS[2]])['input_ids'][0].tolist()
    start = max(place for place, number in enumerate(ids) if pieces[number].startswith('\u0120'))
    of_nine = list(range(start, len(ids) - 1))
    cell = weights[:, of_nine].mean(1)
    np.testing.assert_allclose(attended.heat[:, 7, 20, 5], 4 * cell[:, 2] + cell[:, 4], atol=1e-5)


def test_from_the_command_line(files, tmp_path, monkeypatch, repo_root, capsys):
    config, weights, paths = files
    common = ['tools/infer.py', 'vqa', '--model', config, '--checkpoint', weights]
    options = ['--text', '; '.join(QUESTIONS), '--answers', '2', '--attention', '--out', str(tmp_path)]
    in_process(monkeypatch, repo_root, [*common, *options, paths[0]])
    output = capsys.readouterr().out
    results = json.loads(output[output.index('[\n') :])
    assert [each['question'] for each in results] == QUESTIONS and all(len(each['answers']) == 2 for each in results)
    assert json.loads((tmp_path / 'results.json').read_text()) == results
    assert (tmp_path / 'vqa.png').is_file() and (tmp_path / 'attention_3.png').is_file()
    for wrong, message in (
        (['--text', ' ; '], 'one question or more'),
        (['--text', 'how many?', '--attention'], 'need a folder'),
    ):
        with pytest.raises(SystemExit) as exited:
            in_process(monkeypatch, repo_root, [*common, *wrong, paths[0]])
        assert exited.value.code.startswith('error: ') and message in exited.value.code and '\n' not in exited.value.code


def test_the_size_of_the_network_comes_from_the_config(files):
    cfg = Config.fromfile(files[0])
    cfg.image_size = 64
    assert VQAInferencer(cfg, files[1]).image_size == 64
