"""Economical fine-tuning of Florence-2 as a run: adapters, a frozen tower with its maps on disk, new tokens, an average."""

import runpy

import pytest
import torch
from conftest import REPO_ROOT
from mmengine.config import Config

import florence  # noqa: F401  (mends mmengine before it is imported)
from florence.apis.model_loading import build_model, load_weights
from florence.engine.config_files import load_config
from florence.engine.launch import prepare_distributed
from florence.engine.runner import StrategyRunner
from florence.models.florence2.lora import is_adapter
from florence.user_errors import in_words

CONFIG = REPO_ROOT / 'configs/florence2/florence2-nano_14min_digits.py'
TOOL = REPO_ROOT / 'tools/model_converters/merge_lora.py'
TABLE = 'language_model.model.shared.weight'


def merge(*arguments) -> None:
    runpy.run_path(str(TOOL))['main']([str(argument) for argument in arguments])


def config(work_dir, cache=None, **entries) -> Config:
    cfg = load_config(
        str(CONFIG),
        {
            'train_cfg.max_iters': 4,
            'train_dataloader.batch_size': 2,
            'train_dataloader.dataset.num_scenes': 4,  # the second epoch begins after two iterations
            'default_hooks.checkpoint.interval': 2,
            'model.tokenizer.new_tokens': ['<digit>'],
            'model.trained_tokens': ['new'],
            'model.lora': dict(rank=2),
        },
    )
    backbone = cfg.model.vision_tower
    cfg.model.vision_tower = dict(type='FrozenBackbone', backbone=backbone, cache=cache and dict(folder=str(cache)))
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.3))
    for name in ('val_dataloader', 'val_evaluator', 'val_cfg', 'test_dataloader', 'test_evaluator', 'test_cfg'):
        cfg.pop(name)
    cfg.train_cfg.pop('val_interval')
    cfg.update(work_dir=str(work_dir), log_level='WARNING', experiment_name=f'{work_dir.parent.name}_{work_dir.name}', **entries)
    prepare_distributed(cfg, 'none')
    return cfg


def train(cfg: Config) -> StrategyRunner:
    runner = StrategyRunner.from_cfg(cfg)
    runner.train()
    return runner


def weights(path) -> dict:
    return torch.load(path, weights_only=False)['ema_state_dict']


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """Folder of a fine-tuning of four iterations from a model without adapters and new tokens."""
    folder = tmp_path_factory.mktemp('fine_tuning')
    base = build_model(Config.fromfile(CONFIG), 'florence')
    base.tokenizer.tokenizer.train(['two digits', 'a three'])
    torch.save(dict(state_dict=base.state_dict()), folder / 'base.pth')
    runner = train(config(folder / 'whole', folder / 'maps', load_from=str(folder / 'base.pth')))
    cache = runner.model.vision_tower.cache
    assert (cache.hits, cache.misses) == (4, 4), 'each scene is computed once'
    runner.cfg.dump(folder / 'config.py')
    return folder


def test_adapters_and_new_tokens_learn_and_all_else_stays(run):
    base, found = torch.load(run / 'base.pth')['state_dict'], weights(run / 'whole/iter_4.pth')
    assert {name for name in found if not is_adapter(name)} == set(base)
    for name, value in base.items():
        if name not in (TABLE, 'tokenizer._extra_state'):
            assert torch.equal(found[name], value), name
    assert torch.equal(found[TABLE][:-1], base[TABLE]) and len(found[TABLE]) == len(base[TABLE]) + 1
    grown = [name for name, value in found.items() if is_adapter(name) and '.lora_B.' in name and value.any()]
    assert len(grown) == len([name for name in found if '.lora_B.' in name]) > 0


def test_a_resumed_run_ends_with_the_same_weights(run):
    again = config(run / 'again', run / 'maps', load_from=str(run / 'whole/iter_2.pth'), resume=True)
    train(again)
    whole, found = (torch.load(run / name / 'iter_4.pth', weights_only=False) for name in ('whole', 'again'))
    for key in ('state_dict', 'ema_state_dict'):
        assert whole[key].keys() == found[key].keys()
        assert [name for name, value in found[key].items() if not torch.equal(whole[key][name], value)] == [], key
    assert not torch.equal(whole['state_dict'][TABLE][-1], whole['ema_state_dict'][TABLE][-1]), 'rows are averaged, too'


def test_the_tool_writes_weights_of_the_config_without_lora(run, tmp_path, capsys):
    cfg = Config.fromfile(run / 'config.py')
    merge(run / 'config.py', run / 'whole/iter_4.pth', tmp_path / 'merged.pth')
    adapted = build_model(cfg, 'florence').eval()
    load_weights(adapted, str(run / 'whole/iter_4.pth'))
    cfg.model.pop('lora')
    cfg.dump(tmp_path / 'plain.py')
    plain = build_model(cfg, 'florence').eval()
    load_weights(plain, str(tmp_path / 'merged.pth'))
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        memory = [model.encode(model(images), ['two <digit>', 'a'], 'ab')[0] for model in (adapted, plain)]
    torch.testing.assert_close(*memory, atol=1e-5, rtol=0)

    for arguments, sentence in (
        ((tmp_path / 'plain.py', tmp_path / 'merged.pth'), 'merged.pth has no LoRA adapters to merge'),
        ((tmp_path / 'plain.py', run / 'whole/iter_4.pth'), 'has LoRA adapters, this model has none'),
        ((run / 'config.py', run / 'base.pth'), 'base.pth has no LoRA adapters to merge: it can be used as it is'),
        ((run / 'nowhere.py', run / 'base.pth'), 'nowhere.py'),
    ):
        with pytest.raises(SystemExit) as stopped:
            merge(*arguments, tmp_path / 'never.pth')
        assert str(stopped.value).startswith('error: ') and sentence in str(stopped.value)
        assert 'Traceback' not in capsys.readouterr().err
    assert not (tmp_path / 'never.pth').exists()


def test_without_peft_the_sentence_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'peft', None)
    with pytest.raises(ImportError, match='lora needs peft: pip install peft') as missing:
        build_model(Config.fromfile(run / 'config.py'), 'florence')
    assert in_words(missing.value) == 'error: lora needs peft: pip install peft'
