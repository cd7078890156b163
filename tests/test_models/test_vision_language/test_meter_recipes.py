"""The recipes' sizes against the papers', the learning rate and decay of every parameter, and the change of resolution."""

import re

import pytest
import torch
from conftest import REPO_ROOT
from meter_models import CAPTIONS, small_meter
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from florence.engine.optimizers import GroupedOptimWrapperConstructor
from florence.structures import ImageTextSample

CONFIGS = REPO_ROOT / 'configs' / 'meter'


@pytest.fixture
def build(tmp_path):
    def build(name: str):
        from test_configs import write_tokenizer

        cfg = Config.fromfile(CONFIGS / name)
        cfg.model.encoder.tokenizer.name_or_path = write_tokenizer(tmp_path / 'tokenizer')
        with DefaultScope.overwrite_default_scope('florence'), torch.device('meta'):
            return cfg, MODELS.build(cfg.model)

    return build


def millions(module) -> float:
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def test_meter_on_coswin_huge_has_878_million_parameters(build):
    _, model = build('meter-coswin-h_pretrain-43e-384_14m.py')
    encoder = model.encoder
    assert abs(millions(model.encoder) - 878) < 0.01 * 878
    assert abs(millions(encoder.image_tower) - 637) < 0.01 * 637
    assert millions(encoder.text_tower) == pytest.approx(124.055, abs=1e-3)
    assert millions(encoder.fusion) == pytest.approx(12 * 9.451776)
    rest = (encoder.text_proj, encoder.image_proj, encoder.text_pooler, encoder.image_pooler, encoder.token_types)
    assert sum(map(millions, rest)) == pytest.approx(3.35, abs=0.01)
    # The word prediction, untied, is METER's: 768 x 768 and 768 x 50265 with biases and a norm; matching 1536 x 2.
    assert millions(model.head.mlm) == pytest.approx((768 * 769 + 2 * 768 + 769 * 50265) / 1e6)
    assert millions(model.head.itm) == pytest.approx((1536 * 2 + 2) / 1e6)


def test_schedule_follows_from_the_named_numbers(build):
    cfg, _ = build('meter-coswin-h_pretrain-43e-384_14m.py')
    assert cfg.max_iters == cfg.train_cfg.max_iters == 146_972 == cfg.param_scheduler[1].end
    assert cfg.param_scheduler[0].end == 14_697 == cfg.param_scheduler[1].begin
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.betas, optimizer.weight_decay) == ('AdamW', 1e-5, (0.9, 0.98), 0.01)


def intended(name: str) -> tuple[int, bool]:
    """Factor of the learning rate, and whether a parameter decays, as METER's release and Florence's section 3.7 have it."""
    bottom = name.startswith(('encoder.image_tower.', 'encoder.text_tower.', 'encoder.token_types.'))
    free = re.search(r'\.bias$|norm|Norm|relative_position_bias_table|_embeddings\.weight|token_types', name)
    return (1 if bottom else 5), free is None


def test_every_parameter_has_its_rate_and_decay(build):
    cfg, model = build('meter-coswin-b_pretrain-100k-384_4m.py')
    constructor = GroupedOptimWrapperConstructor(cfg.optim_wrapper, cfg.optim_wrapper.paramwise_cfg)
    groups = constructor.groups(model, 1e-5, 0.01)
    found = {id(p): (group['lr'], group['weight_decay']) for group in groups for p in group['params']}
    parameters = dict(model.named_parameters())
    assert len(found) == len(parameters)
    for name, parameter in parameters.items():
        factor, decays = intended(name)
        rate, decay = found[id(parameter)]
        assert rate == pytest.approx(factor * 1e-5), name
        # A bias of a convolution or of the word prediction has one dimension whatever its name.
        assert decay == (0.01 if decays and parameter.dim() > 1 else 0.0), name
    assert {intended(name) for name in parameters} == {(1, True), (1, False), (5, True), (5, False)}
    words = found[id(model.encoder.text_tower.token_embedding.weight)]
    assert words == (1e-5, 0.0) and found[id(model.head.mlm.decoder.weight)] == (5e-5, 0.01)


def test_a_checkpoint_of_another_resolution_loads():
    """As windows of 7 at 224 px become windows of 12 at 384: position tables grow, all else is taken as it is."""
    head = dict(type='florence.PretrainHead', vocab_size=300)
    small, large = small_meter(head, window_size=4).eval(), small_meter(head, window_size=6).eval()
    state = small.state_dict()
    name = 'encoder.image_tower.stages.0.blocks.0.attn.relative_position_bias_table'
    torch.nn.init.normal_(small.get_parameter(name))
    large.load_state_dict(state, strict=True)
    assert state[name].shape[0] == 7**2 and large.get_parameter(name).shape[0] == 11**2
    assert abs(large.get_parameter(name).std() - 1) < 0.5
    others = {key: value for key, value in large.state_dict().items() if 'relative_position' not in key}
    assert all(torch.equal(value, small.state_dict()[key]) for key, value in others.items())
    sample = ImageTextSample()
    sample.text = CAPTIONS[0]
    for model, size in ((small, 128), (large, 192)):
        assert model(torch.randn(1, 3, size, size), mode='tensor').shape == (1, (size // 32) ** 2, 32)
        assert 0 < model(torch.randn(1, 3, size, size), [sample], mode='predict')[0].match_score < 1
