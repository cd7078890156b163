"""Converters of Florence-2: both forms, both ways, and the files beside the weights."""

import json
import re
import runpy

import pytest
import torch
from tiny_florence2 import VOCAB_SIZE, convert, hf_florence2, tiny_florence2

from florence.models.converters.florence2 import WORDS, florence_to_florence2
from florence.models.converters.florence2_config import florence2_settings

# Names of transformers to Microsoft's, in order.
TO_MICROSOFT = [
    (r'^lm_head', 'language_model.lm_head'),
    (r'^model\.language_model', 'language_model.model'),
    (r'^model\.multi_modal_projector\.image_projection\.weight', 'image_projection'),
    (r'^model\.multi_modal_projector\.image_position_embed', 'image_pos_embed'),
    (r'^model\.(multi_modal_projector\.)?', ''),
    (r'(convs\.\d+)\.conv\.', r'\1.proj.'),
    (r'(_block\.conv\d)\.', r'\1.fn.dw.'),
    (r'(spatial_block)\.norm1', r'\1.window_attn.norm'),
    (r'(channel_block)\.norm1', r'\1.channel_attn.norm'),
    (r'(_block)\.norm2', r'\1.ffn.norm'),
    (r'(window|channel)_attn\.(qkv|proj)', r'\1_attn.fn.\2'),
    (r'(_block\.ffn)\.fc', r'\1.fn.net.fc'),
]


def microsoft_weights(hf: dict) -> dict:
    """Under Microsoft's names, with what its files hold besides."""
    result = {'language_model.final_logits_bias': torch.zeros(1, VOCAB_SIZE)}
    for name, weight in hf.items():
        for pattern, new in TO_MICROSOFT:
            name = re.sub(pattern, new, name)
        result[name] = weight.t() if name == 'image_projection' else weight
    return result


@pytest.fixture(scope='module')
def hf():
    return hf_florence2(init_std=0.3).state_dict()


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_microsofts_weights_are_those_of_transformers_and_go_back_bit_by_bit(hf):
    microsoft, ours = microsoft_weights(hf), convert(hf)
    assert same(convert(microsoft), ours)
    assert same(florence_to_florence2(ours, 'microsoft'), microsoft)
    assert 'image_projection' in microsoft and microsoft['image_projection'].shape == (64, 32)
    tiny_florence2().load_state_dict(ours)


def test_weights_of_transformers_go_back_and_load_there(hf, tmp_path):
    ours = convert(hf)
    theirs = florence_to_florence2(ours, 'transformers')
    copies = {'lm_head.weight', *(f'model.language_model.{side}.embed_tokens.weight' for side in ('encoder', 'decoder'))}
    assert same(theirs, {key: weight for key, weight in hf.items() if key not in copies})
    assert same(convert(theirs), ours)
    model = hf_florence2()
    model.save_pretrained(tmp_path)
    from safetensors.torch import save_file

    save_file({key: weight.contiguous() for key, weight in theirs.items()}, tmp_path / 'model.safetensors', {'format': 'pt'})
    loaded = type(model).from_pretrained(tmp_path).state_dict()
    assert same(loaded, hf)


@torch.no_grad()
def test_further_rows_belong_to_no_token_and_never_win(hf):
    ours = convert(hf)
    padded = florence_to_florence2(ours, 'transformers', num_rows=1344)
    words = padded['model.language_model.shared.weight']
    assert words.shape == (1344, 32) and same(convert(padded), ours)
    logits = torch.randn(50, 32) @ words.t()
    assert (logits.argmax(1) < VOCAB_SIZE).all()
    with pytest.raises(ValueError, match='num_rows=1299 is less than the 1300 tokens'):
        florence_to_florence2(ours, 'transformers', num_rows=1299)


@pytest.mark.parametrize('kept', range(4))
def test_any_copy_of_the_table_of_words_will_do(hf, kept):
    names = [
        'language_model.model.shared.weight', 'language_model.model.encoder.embed_tokens.weight',
        'language_model.model.decoder.embed_tokens.weight', 'language_model.lm_head.weight',
    ]  # fmt: skip
    microsoft = microsoft_weights(hf)
    for name in names:
        if name != names[kept]:
            del microsoft[name]
    assert same(convert(microsoft), convert(hf))
    del microsoft[names[kept]]
    with pytest.raises(ValueError, match='no table of words'):
        convert(microsoft)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s.pop('image_proj_norm.bias'), 'missing image_proj_norm.bias'),
        (lambda s: s.update({'language_model.model.encoder.extra': torch.ones(1)}), 'no place for .*encoder.extra'),
        (lambda s: s.pop('language_model.model.decoder.layers.0.fc1.weight'), 'missing .*decoder.layers.0.fc1.weight'),
        (lambda s: s['language_model.final_logits_bias'].add_(1), 'bias of the outputs'),
        (lambda s: s.update({'language_model.lm_head.weight': torch.zeros(VOCAB_SIZE, 32)}), 'lm_head.weight differ'),
        (lambda s: s.update({k: v[:9] for k, v in s.items() if len(v) == VOCAB_SIZE}), 'knows 9 tokens, the tokenizer has 1300'),
    ],
    ids=['missing', 'unknown', 'hole', 'bias', 'untied', 'short'],
)  # fmt: skip
def test_a_checkpoint_that_does_not_fit_is_refused_by_name(hf, change, message):
    microsoft = microsoft_weights(hf)
    change(microsoft)
    with pytest.raises(ValueError, match=message):
        convert(microsoft)


VISION = dict(depths=[1, 1, 9, 1], num_heads=[4, 8, 16, 32], num_groups=[4, 8, 16, 32], window_size=12, patch_size=[7, 3, 3, 3],
              patch_stride=[4, 2, 2, 2], patch_padding=[3, 1, 1, 1], patch_prenorm=[False, True, True, True])  # fmt: skip
TEXT = dict(vocab_size=51289, d_model=768, max_position_embeddings=1024, activation_function='gelu', scale_embedding=False) | {
    f'{side}_{name}': value
    for side in ('encoder', 'decoder')
    for name, value in dict(layers=6, attention_heads=12, ffn_dim=3072).items()
}
MICROSOFT_CONFIG = dict(
    text_config=TEXT,
    vision_config=dict(
        VISION, dim_embed=[128, 256, 512, 1024], image_pos_embed=dict(type='learned_abs_2d', max_pos_embeddings=50),
        visual_temporal_embedding=dict(type='COSINE', max_temporal_embeddings=100),
        image_feature_source=['spatial_avg_pool', 'temporal_avg_pool'],
    ),
)  # fmt: skip


def test_settings_of_both_forms_of_the_configuration_are_one():
    found = florence2_settings(MICROSOFT_CONFIG)
    vision = dict(VISION, embed_dim=[128, 256, 512, 1024], max_position_embeddings=50, max_temporal_embeddings=100, mlp_ratio=4.0)
    assert florence2_settings(dict(text_config=TEXT, vision_config=vision)) == found
    assert found['language_model'] == dict(
        arch=dict(embed_dims=768, num_layers=6, num_heads=12, mlp_dims=3072), max_positions=1024
    )
    assert found['projector'] == dict(max_map_size=50, max_frames=100)
    assert found['vision_tower']['arch']['embed_dims'] == (128, 256, 512, 1024)


@pytest.mark.parametrize(
    ('section', 'key', 'value', 'message'),
    [
        ('text_config', 'd_model', None, 'no d_model'),
        ('text_config', 'scale_embedding', True, 'scale_embedding=True, Florence2 knows False only'),
        ('text_config', 'decoder_layers', 3, 'decoder_layers=3'),
        ('vision_config', 'num_groups', [1, 1, 1, 1], 'num_groups'),
        ('vision_config', 'image_feature_source', ['last_frame'], 'last_frame'),
    ],
)
def test_a_configuration_of_another_model_is_refused(section, key, value, message):
    changed = {name: value for name, value in MICROSOFT_CONFIG[section].items() if name != key}
    if value is not None:
        changed[key] = value
    with pytest.raises(ValueError, match=message):
        florence2_settings({**MICROSOFT_CONFIG, section: changed})


@pytest.mark.parametrize('form', ['microsoft', 'transformers'])
def test_the_tool_goes_both_ways_and_wants_the_released_vocabulary(hf, form, tmp_path, test_data, repo_root, capsys):
    main = runpy.run_path(str(repo_root / 'tools' / 'model_converters' / 'florence2_to_florence.py'))['main']
    ours = convert(hf)
    torch.save(ours, tmp_path / 'ours.pth')
    main([str(tmp_path / 'ours.pth'), str(tmp_path / 'theirs.safetensors'), '--reverse', form, '--rows', '51289'])
    (tmp_path / 'config.json').write_text(json.dumps(MICROSOFT_CONFIG))
    vocabulary = test_data / 'tokenizers' / 'gpt2_roberta_bart'
    main([str(tmp_path / 'theirs.safetensors'), str(tmp_path / 'back.pth'), '--vocabulary', str(vocabulary)])
    back = torch.load(tmp_path / 'back.pth')
    assert torch.equal(back.pop(WORDS)[:VOCAB_SIZE], ours[WORDS])
    extra = back.pop('tokenizer._extra_state')
    assert same(back, {key: weight for key, weight in ours.items() if key not in (WORDS, 'tokenizer._extra_state')})
    assert b'Florence2Tokenizer' in bytes(extra.tolist())
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(florence2_settings(MICROSOFT_CONFIG)))
    with pytest.raises(SystemExit, match='--vocabulary FOLDER'):
        main([str(tmp_path / 'theirs.safetensors'), str(tmp_path / 'back.pth')])
