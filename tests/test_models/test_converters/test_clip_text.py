"""Converted weights give the reference's features, and every way there has a way back."""

import importlib.util
import os
import subprocess
import sys

import pytest
import torch
from mmengine.logging import HistoryBuffer

from florence.models.converters.clip_text import (
    clip_text_to_florence,
    florence_to_clip_text,
    join_two_tower,
    split_two_tower,
)
from florence.models.language.text_transformer import TextTransformer

VOCAB, EOT, LENGTH = 40, 39, 20
SIZES = dict(vocab_size=VOCAB, embed_dims=32, num_layers=3, num_heads=4, mlp_dims=128)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Texts of mixed length: start 38, ordinary ids, end 39, then padding 0."""
    lengths = torch.tensor([LENGTH, 3, 9, 14])
    positions = torch.arange(LENGTH)
    mask = (positions < lengths[:, None]).long()
    ids = torch.randint(1, 38, (4, LENGTH)) * mask
    ids[:, 0] = 38
    ids[torch.arange(4), lengths - 1] = EOT
    return ids, mask


def shaken(model: torch.nn.Module) -> torch.nn.Module:
    """Biases and norms away from 0 and 1, so that a swapped or lost one shows."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def hf_model(act: str, eos_token_id: int = EOT, projected: bool = True):
    transformers = pytest.importorskip('transformers')
    config = transformers.CLIPTextConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        hidden_act=act,
        projection_dim=24,
        eos_token_id=eos_token_id,
        bos_token_id=38,
        pad_token_id=0,
    )
    return shaken((transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel)(config))


def open_clip_tower(**kwargs):
    open_clip = pytest.importorskip('open_clip.transformer')
    return shaken(
        open_clip.TextTransformer(context_length=LENGTH, vocab_size=VOCAB, width=32, heads=4, layers=3, output_dim=24, **kwargs)
    )


def ours(state_dict: dict, act: str = 'gelu', **kwargs):
    tower, projection = clip_text_to_florence(state_dict, context_length=LENGTH)
    model = TextTransformer(**SIZES, context_length=LENGTH, act=act, **kwargs).eval()
    model.load_state_dict(tower, strict=True)
    return model, projection


@pytest.mark.parametrize('act', ['gelu', 'quick_gelu'])
@pytest.mark.parametrize('eos_token_id', [EOT, 2])  # 2 is the old configuration that pools at the largest id
def test_features_equal_transformers(act, eos_token_id):
    reference = hf_model(act, eos_token_id)
    model, projection = ours(reference.state_dict(), act)
    ids, mask = batch()
    with torch.no_grad():
        expected = reference(ids, attention_mask=mask)
        pooled, tokens = model(ids, mask, return_tokens=True)
    keep = mask.bool()
    torch.testing.assert_close(tokens[keep], expected.last_hidden_state[keep], atol=1e-5, rtol=0)
    torch.testing.assert_close(pooled @ projection.t(), expected.text_embeds, atol=1e-5, rtol=0)


@pytest.mark.parametrize('prefix', ['', 'text.'])
def test_features_equal_open_clip(prefix):
    reference = open_clip_tower()
    model, projection = ours({prefix + key: value for key, value in reference.state_dict().items()})
    ids, mask = batch()
    with torch.no_grad():
        torch.testing.assert_close(model(ids, mask) @ projection.t(), reference(ids), atol=1e-5, rtol=0)


def test_features_equal_open_clip_without_causal_mask():
    reference = open_clip_tower(no_causal_mask=True, use_pad_mask=True, pool_type='first')
    model, projection = ours(reference.state_dict(), causal=False, pool='first')
    ids, mask = batch()
    with torch.no_grad():
        torch.testing.assert_close(model(ids, mask) @ projection.t(), reference(ids), atol=1e-5, rtol=0)


def test_whole_open_clip_model():
    open_clip = pytest.importorskip('open_clip.model')
    text = dict(context_length=LENGTH, vocab_size=VOCAB, width=32, heads=4, layers=3)
    vision = dict(image_size=16, patch_size=8, width=16, layers=1, head_width=8)
    plain = shaken(open_clip.CLIP(24, vision, text))
    model, projection = ours(plain.state_dict())
    custom = open_clip.CustomTextCLIP(24, vision, text)
    tower, _ = clip_text_to_florence(custom.state_dict(), context_length=LENGTH)
    assert set(tower) == set(model.state_dict())
    ids, mask = batch()
    with torch.no_grad():
        expected = plain.encode_text(ids)
        torch.testing.assert_close(model(ids, mask) @ projection.t(), expected, atol=1e-5, rtol=0)


def test_whole_hf_model():
    transformers = pytest.importorskip('transformers')
    text = hf_model('gelu').config
    vision = transformers.CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
    )
    whole = shaken(transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)))
    model, projection = ours(whole.state_dict())
    ids, mask = batch()
    with torch.no_grad():
        expected = whole.get_text_features(input_ids=ids, attention_mask=mask)
        expected = getattr(expected, 'pooler_output', expected)  # a tensor before transformers 5
        torch.testing.assert_close(model(ids, mask) @ projection.t(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize('fmt', ['open_clip', 'hf'])
def test_round_trip(fmt):
    reference = (open_clip_tower() if fmt == 'open_clip' else hf_model('gelu')).state_dict()
    tower, projection = clip_text_to_florence(reference, fmt=fmt, context_length=LENGTH)
    back = florence_to_clip_text(*split_two_tower(join_two_tower(tower, projection)), fmt=fmt)
    reference = {key: value for key, value in reference.items() if not key.endswith('attn_mask')}
    assert set(back) == set(reference)
    assert all(torch.equal(back[key], value) for key, value in reference.items())


def test_reversed_weights_load_into_the_references():
    tower = shaken(TextTransformer(**SIZES, context_length=LENGTH)).state_dict()
    projection = torch.randn(24, 32)
    for reference, fmt in ((open_clip_tower(), 'open_clip'), (hf_model('gelu'), 'hf')):
        keys = reference.load_state_dict(florence_to_clip_text(tower, projection, fmt=fmt), strict=False)
        assert not keys.missing_keys and not keys.unexpected_keys


def test_tower_without_projection_and_without_prefix():
    reference = hf_model('gelu', projected=False).state_dict()
    bare = {key.removeprefix('text_model.'): value for key, value in reference.items()}
    prefixed = {'text_model.' + key: value for key, value in bare.items()}
    for state_dict in (bare, prefixed):
        tower, projection = clip_text_to_florence(state_dict, context_length=LENGTH)
        assert projection is None
        assert set(florence_to_clip_text(tower, fmt='hf')) == set(prefixed)


def test_positions_beyond_the_context_are_cut_and_said(monkeypatch):
    said = []
    monkeypatch.setattr('florence.models.converters.clip_text.print_log', lambda message, **_: said.append(message))
    state_dict = open_clip_tower().state_dict()
    tower, _ = clip_text_to_florence(state_dict, context_length=LENGTH - 1)
    assert torch.equal(tower['positional_embedding'], state_dict['positional_embedding'][:-1])
    assert said == ['positions: the first 19 of 20 kept']
    with pytest.raises(ValueError, match='has 20 positions, context_length=21'):
        clip_text_to_florence(state_dict, context_length=LENGTH + 1)


def test_keys_that_do_not_fit_are_named():
    state_dict = dict(open_clip_tower().state_dict())
    with pytest.raises(ValueError, match='no place in a CLIP text tower .open_clip.: transformer.extra'):
        clip_text_to_florence(state_dict | {'transformer.extra': torch.ones(1)}, context_length=LENGTH)
    lacking = {k: v for k, v in state_dict.items() if k != 'transformer.resblocks.1.ln_2.bias'}
    with pytest.raises(ValueError, match='lacks transformer.resblocks.1.ln_2.bias'):
        clip_text_to_florence(lacking, context_length=LENGTH)
    with pytest.raises(ValueError, match='no CLIP text tower in the checkpoint.* found conv.weight'):
        clip_text_to_florence({'conv.weight': torch.ones(1)})
    with pytest.raises(ValueError, match="unknown format 'jax'"):
        florence_to_clip_text({}, fmt='jax')
    tower, _ = clip_text_to_florence(state_dict, context_length=LENGTH)
    with pytest.raises(ValueError, match='no place in a TextTransformer: head.weight'):
        florence_to_clip_text(tower | {'head.weight': torch.ones(1)})
    del tower['norm.bias']
    with pytest.raises(ValueError, match='lacks text_tower.norm.bias'):
        florence_to_clip_text(tower)
    with pytest.raises(ValueError, match='no key under text_tower.'):
        split_two_tower({'image_tower.weight': torch.ones(1)})


@pytest.fixture
def convert(repo_root):
    """The tool's `main`, called with arguments of any type."""
    path = repo_root / 'tools' / 'model_converters' / 'clip_text_to_florence.py'
    spec = importlib.util.spec_from_file_location('clip_text_to_florence', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *arguments: module.main([str(argument) for argument in arguments])


def test_command_line_both_ways(tmp_path, convert):
    reference = open_clip_tower().state_dict()
    torch.save({'state_dict': {'module.' + key: value for key, value in reference.items()}}, tmp_path / 'clip.pt')
    convert(tmp_path / 'clip.pt', tmp_path / 'ours.pth', '--context-length', LENGTH)
    result = torch.load(tmp_path / 'ours.pth', weights_only=True)['state_dict']
    assert result['text_proj.weight'].shape == (24, 32)
    TextTransformer(**SIZES, context_length=LENGTH).load_state_dict(split_two_tower(result)[0], strict=True)

    # As a runner saves it: with other towers, the tokenizer's state and the history of the log.
    others = {'image_tower.weight': torch.ones(1), 'tokenizer._extra_state': torch.ones(3, dtype=torch.uint8)}
    training = {
        'state_dict': result | others,
        'message_hub': {'log_scalars': {'loss': HistoryBuffer([1.0], [1])}},
    }
    torch.save(training, tmp_path / 'training.pth')
    convert(tmp_path / 'training.pth', tmp_path / 'hf.safetensors', '--reverse', '--format', 'hf')
    convert(tmp_path / 'hf.safetensors', tmp_path / 'again.pth', '--context-length', LENGTH)
    again = torch.load(tmp_path / 'again.pth', weights_only=True)['state_dict']
    assert set(again) == set(result)
    assert all(torch.equal(again[key], value) for key, value in result.items())
    assert not list(tmp_path.glob('*.tmp'))


def test_broken_files_are_named(tmp_path, convert):
    (tmp_path / 'broken.pth').write_bytes(b'no checkpoint')
    torch.save({'epoch': 3, 'weight': torch.ones(1)}, tmp_path / 'mixed.pth')
    torch.save([1], tmp_path / 'list.pth')
    for name, message in (
        ('broken.pth', 'cannot be read as a weight file'),
        ('mixed.pth', 'holds entries that are no tensors: epoch'),
        ('list.pth', 'holds no state dict but list'),
    ):
        with pytest.raises(SystemExit, match=f'error: .*{name} {message}'):
            convert(tmp_path / name, tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


def test_failing_command_says_why_in_one_line(tmp_path, repo_root):
    script = repo_root / 'tools' / 'model_converters' / 'clip_text_to_florence.py'
    done = subprocess.run(
        [sys.executable, script, tmp_path / 'absent.pth', tmp_path / 'out.pth'],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(repo_root)},
    )
    assert done.returncode == 1
    assert done.stderr == f'error: no checkpoint at {tmp_path / "absent.pth"}\n'
