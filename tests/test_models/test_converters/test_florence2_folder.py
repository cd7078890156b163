"""A trained Florence-2 as a folder for transformers: it loads there, answers alike, and what is not the release is refused."""

import runpy
import shutil

import pytest
import torch
from tiny_florence2 import hf_florence2, tiny_florence2

from florence.models.converters.florence2 import TOKENIZER, florence2_to_florence
from florence.models.converters.florence2_folder import write_florence2_folder
from florence.models.language import Florence2Tokenizer, TokenizerModule

ROWS, TOKENS = 51328, 51289


@pytest.fixture(scope='module')
def release(tmp_path_factory, test_data):
    """A release in the form of transformers, of small size, with the released vocabulary."""
    folder = tmp_path_factory.mktemp('release')
    model = hf_florence2(init_std=0.3)
    model.resize_token_embeddings(ROWS)
    model.save_pretrained(folder)
    for path in (test_data / 'tokenizers' / 'gpt2_roberta_bart').iterdir():
        shutil.copy(path, folder / path.name)
    (folder / 'preprocessor_config.json').write_text('{"size": 768}')
    return folder


@pytest.fixture(scope='module')
def trained(release):
    """Our weights, which a training has changed."""
    from transformers import Florence2ForConditionalGeneration

    theirs = Florence2ForConditionalGeneration.from_pretrained(release).state_dict()
    words = Florence2Tokenizer(release)
    ours = florence2_to_florence(theirs, TOKENS, extra_states={TOKENIZER: TokenizerModule(words).get_extra_state()})
    return {name: value * 1.01 if value.is_floating_point() else value for name, value in ours.items()}


@torch.no_grad()
def test_the_folder_loads_in_transformers_and_gives_our_outputs(release, trained, tmp_path, repo_root):
    from transformers import Florence2ForConditionalGeneration

    main = runpy.run_path(str(repo_root / 'tools' / 'model_converters' / 'florence2_to_florence.py'))['main']
    torch.save({'state_dict': trained}, tmp_path / 'iter_1.pth')
    main([str(tmp_path / 'iter_1.pth'), str(tmp_path / 'folder'), '--reverse', 'transformers', '--release', str(release)])
    found = {path.name for path in (tmp_path / 'folder').iterdir()}
    assert found == {path.name for path in release.iterdir()} and 'preprocessor_config.json' in found
    theirs, info = Florence2ForConditionalGeneration.from_pretrained(tmp_path / 'folder', output_loading_info=True)
    assert not info['missing_keys'] and not info['unexpected_keys'] and not info['mismatched_keys']
    back = florence2_to_florence(theirs.state_dict(), TOKENS)
    assert all(torch.equal(back[name], trained[name]) for name in back) and len(back) == len(trained) - 1
    with pytest.raises(SystemExit, match='error: .*folder exists'):
        main([str(tmp_path / 'iter_1.pth'), str(tmp_path / 'folder'), '--reverse', 'transformers', '--release', str(release)])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda weights: weights | {'projector.image_projection.weight': torch.zeros(32, 7)}, 'has 7, .* wants 64'),
        (lambda weights: weights | {TOKENIZER: tiny_florence2().state_dict()[TOKENIZER]}, 'a vocabulary learned in training'),
        (lambda weights: {key: value for key, value in weights.items() if key != TOKENIZER}, 'which vocabulary it has'),
    ],
)  # fmt: skip
def test_another_model_is_refused_and_nothing_is_written(release, trained, change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_florence2_folder(change(trained), 'transformers', release, tmp_path / 'folder')
    assert not list(tmp_path.iterdir())


def test_tokens_of_a_user_and_another_form_are_refused(release, trained, tmp_path):
    words = Florence2Tokenizer(release, new_tokens=['<ship>'])
    with_new = trained | {TOKENIZER: TokenizerModule(words).get_extra_state()}
    with pytest.raises(ValueError, match=r"tokens of its own, \['<ship>'\]"):
        write_florence2_folder(with_new, 'transformers', release, tmp_path / 'folder')
    with pytest.raises(ValueError, match='has the form of transformers: give --reverse transformers'):
        write_florence2_folder(trained, 'microsoft', release, tmp_path / 'folder')
