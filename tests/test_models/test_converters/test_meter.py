"""METER's checkpoints convert both ways, bit by bit, into models that load them strictly."""

import importlib.util
import json

import pytest
import torch
from meter_models import official_meter, small_encoder, small_meter

from florence.models.converters.meter import florence_to_meter, meter_to_florence
from florence.models.converters.swin import florence_to_swin

HEADS = {
    'pretrain': dict(type='florence.PretrainHead', vocab_size=300),
    'vqa': dict(type='florence.VQAHead', answers=['yes', 'no', 'red', 'two', 'four']),
    'snli': dict(type='florence.SentenceHead', classes=['entailment', 'neutral', 'contradiction']),
    'nlvr2': dict(type='florence.SentenceHead', classes=['false', 'true'], num_images=2),
}


@pytest.fixture(scope='module')
def swin():
    return florence_to_swin(small_encoder(embed='patch').image_tower.state_dict())


def extra_states(model):
    return {key: value for key, value in model.state_dict().items() if key.endswith('_extra_state')}


def assert_same(left, right):
    assert left.keys() == right.keys()
    assert all(torch.equal(value, right[key]) for key, value in left.items())


@pytest.mark.parametrize('task', HEADS)
def test_there_and_back(task, swin):
    num_images = 2 if task == 'nlvr2' else 1
    official = official_meter(swin, task, 1 + num_images)
    model = small_meter(HEADS[task], num_images, embed='patch')
    converted = meter_to_florence(official, extra_states=extra_states(model))
    model.load_state_dict(converted, strict=True)
    assert_same(florence_to_meter(model.state_dict(), task=task), official)


def test_what_meter_never_uses_is_left_out(swin):
    official = official_meter(swin, 'pretrain')
    expected = meter_to_florence(official)
    official |= {
        'text_transformer.pooler.dense.weight': torch.zeros(24, 24),
        'text_transformer.embeddings.position_ids': torch.arange(42)[None],
        'vit_model.layers.0.blocks.0.attn.relative_position_index': torch.zeros(16, 16),
        'rank_output.weight': torch.zeros(1, 64),
    }
    assert_same(meter_to_florence(official), expected)


def test_keys_and_values_are_stacked_in_this_order(swin):
    official = official_meter(swin, 'pretrain')
    ours = meter_to_florence(official)['encoder.fusion.image_layers.1.cross_attn.key_value.weight']
    name = 'cross_modal_image_layers.1.crossattention.self'
    assert torch.equal(ours, torch.cat([official[f'{name}.key.weight'], official[f'{name}.value.weight']]))


def test_keys_without_a_place_are_named(swin):
    official = official_meter(swin, 'vqa')
    official['cross_modal_text_layers.1.adapter.weight'] = torch.zeros(2)
    del official['cross_modal_image_pooler.dense.bias']
    with pytest.raises(
        ValueError, match='no place for cross_modal_text_layers.1.adapter.weight; missing .*image_pooler.dense.bias'
    ):
        meter_to_florence(official)
    clip = official_meter({'visual.ln_pre.weight': torch.zeros(2)}, 'vqa')
    with pytest.raises(ValueError, match='has a CLIP image tower'):
        meter_to_florence(clip)
    with pytest.raises(ValueError, match='heads of several tasks: pretrain, vqa'):
        meter_to_florence(official_meter(swin, 'vqa') | official_meter(swin, 'pretrain'))
    model = small_meter(HEADS['snli'], embed='patch').state_dict()
    with pytest.raises(ValueError, match=r"say of which task, one of \['nlvr2', 'snli', 'vqa'\], got None"):
        florence_to_meter(model)
    with pytest.raises(ValueError, match='no place for encoder.spare'):
        florence_to_meter({**model, 'encoder.spare': torch.zeros(1)}, task='snli')


def test_the_tool(swin, tmp_path, repo_root, capsys):
    from tokenizers import Tokenizer, models, processors
    from transformers import PreTrainedTokenizerFast

    spec = importlib.util.spec_from_file_location('tool', repo_root / 'tools/model_converters/meter_to_florence.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    words = {word: number for number, word in enumerate(['<s>', '<pad>', '</s>', '<mask>', 'red', 'two'])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token='<pad>'))
    tokenizer.post_processor = processors.BertProcessing(('</s>', 2), ('<s>', 0))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, mask_token='<mask>', sep_token='</s>', cls_token='<s>').save_pretrained(
        tmp_path / 'words'
    )
    official = official_meter(swin, 'vqa')
    torch.save({'state_dict': official}, tmp_path / 'meter.ckpt')
    (tmp_path / 'answers.json').write_text(json.dumps(HEADS['vqa']['answers']))
    source, middle, back = (str(tmp_path / name) for name in ('meter.ckpt', 'florence.pth', 'back.safetensors'))
    options = ['--tokenizer', str(tmp_path / 'words'), '--answers', str(tmp_path / 'answers.json')]
    for lacking in ([], options[:2]):
        with pytest.raises(SystemExit, match='error: name the'):
            tool.main([source, middle, *lacking])
    (tmp_path / 'other.json').write_text('["yes", "no"]')
    with pytest.raises(SystemExit, match='other.json has 2 answers, the checkpoint gives 5'):
        tool.main([source, middle, *options[:2], '--answers', str(tmp_path / 'other.json')])
    with pytest.raises(ValueError, match='has 6 tokens, the checkpoint knows 4'):
        tool.extra_states(options[1], None, {tool.WORDS: torch.zeros(4, 2)})
    tool.main([source, middle, *options])
    model = small_meter(HEADS['vqa'], embed='patch')
    from florence.models.language import HFTokenizer

    model.encoder.tokenizer.tokenizer = HFTokenizer(str(tmp_path / 'words'))
    model.load_state_dict(torch.load(middle)['state_dict'], strict=True)
    tool.main([middle, back, '--reverse', '--task', 'vqa'])
    from safetensors.torch import load_file

    assert_same(load_file(back), official)
