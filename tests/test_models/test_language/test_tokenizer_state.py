import copy

import pytest
import torch
from mmengine.runner import load_checkpoint
from torch import nn

from florence.models.language.base_tokenizer import BaseTokenizer
from florence.models.language.clip_tokenizer import CLIPTokenizer
from florence.models.language.tokenizer_state import TokenizerModule
from florence.models.language.trained_bpe import TrainedBPE

CAPTIONS = ['a red seven above a blue two', 'a green nine', 'a red nine below a green seven'] * 3


class Model(nn.Module):
    def __init__(self, tokenizer: BaseTokenizer) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.tokenizer = TokenizerModule(tokenizer)


def trained(vocab_size: int = 300, **kwargs) -> TrainedBPE:
    tokenizer = TrainedBPE(vocab_size, **kwargs)
    tokenizer.train(CAPTIONS)
    return tokenizer


def test_trained_vocabulary_travels_with_the_checkpoint(tmp_path):
    source = Model(trained())
    path = tmp_path / 'model.pth'
    torch.save({'state_dict': source.state_dict()}, path)
    expected = source.tokenizer.encode(['a red nine'])['input_ids']
    assert expected.shape[1] < len(' a red nine') + 2  # merges are at work

    strict = Model(TrainedBPE(300))
    strict.load_state_dict(torch.load(path, weights_only=True)['state_dict'], strict=True)
    by_mmengine = Model(TrainedBPE(300, context_length=20))
    load_checkpoint(by_mmengine, str(path), strict=True)
    for model in (strict, by_mmengine):
        assert torch.equal(model.tokenizer.encode(['a red nine'])['input_ids'], expected)
    assert by_mmengine.tokenizer.tokenizer.context_length == 20


def test_state_is_a_uint8_tensor_and_no_parameter():
    model = Model(trained())
    state = model.state_dict()['tokenizer._extra_state']
    assert state.dtype == torch.uint8 and state.dim() == 1
    assert [name for name, _ in model.named_parameters()] == ['linear.weight', 'linear.bias']


def test_untrained_state_loads_as_untrained():
    target = Model(trained())
    target.load_state_dict(Model(TrainedBPE(300)).state_dict())
    assert not target.tokenizer.tokenizer.is_trained


def test_deep_copy_keeps_the_vocabulary():
    model = Model(trained())
    twin = copy.deepcopy(model)
    text = ['a red <eot>']
    assert torch.equal(model.tokenizer.encode(text)['input_ids'], twin.tokenizer.encode(text)['input_ids'])


def test_fixed_vocabulary_leaves_a_short_mark():
    state = Model(CLIPTokenizer()).state_dict()
    assert state['tokenizer._extra_state'].numel() < 200
    Model(CLIPTokenizer(context_length=77)).load_state_dict(state, strict=True)


@pytest.mark.parametrize(
    ('source', 'target', 'message'),
    [
        (CLIPTokenizer, TrainedBPE, "type='CLIPTokenizer', this model has type='TrainedBPE'"),
        (
            TrainedBPE,
            CLIPTokenizer,
            r'TrainedBPE \(300 tokens\), this model has CLIPTokenizer \(49408 tokens',
        ),
    ],
)
def test_another_kind_of_tokenizer_is_an_error(source, target, message):
    make = {CLIPTokenizer: CLIPTokenizer, TrainedBPE: trained}
    with pytest.raises(ValueError, match=message):
        Model(make[target]()).load_state_dict(Model(make[source]()).state_dict())


@pytest.mark.parametrize(('kwargs', 'key'), [(dict(vocab_size=310), 'vocab_size'), (dict(lower=False), 'lower')])
def test_another_setting_of_trained_bpe_is_an_error(kwargs, key):
    with pytest.raises(ValueError, match=f'{key}='):
        Model(TrainedBPE(**{'vocab_size': 300, **kwargs})).load_state_dict(Model(trained()).state_dict())
