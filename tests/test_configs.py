"""Every config: parses, dumps and reloads equal, resolves every type in its scope, opens with a comment; its model builds."""

import ast

import pytest
import torch
from conftest import REPO_ROOT
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

import florence  # noqa: F401
from florence.engine.config_files import iter_types, resolve_type

CONFIGS = sorted((REPO_ROOT / 'configs').rglob('*.py'))
LEAVES = [path for path in CONFIGS if '_base_' not in path.parts]
names = dict(ids=lambda path: str(path.relative_to(REPO_ROOT / 'configs')))


def test_there_are_configs():
    assert len(LEAVES) >= 5


@pytest.mark.parametrize('path', CONFIGS, **names)
def test_dump_and_reload_are_equal(path, tmp_path):
    cfg = Config.fromfile(path)
    cfg.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == cfg.to_dict()


@pytest.mark.parametrize('path', LEAVES, **names)
def test_types_resolve_in_their_scope(path):
    cfg = Config.fromfile(path)
    found = [(where, resolve_type(kind, scope)) for where, kind, scope in iter_types(cfg, scope=cfg.default_scope)]
    assert len(found) > 10
    assert all(callable(target) for _, target in found)


@pytest.mark.parametrize('path', LEAVES, **names)
def test_opens_with_a_comment_and_its_bases(path):
    source = path.read_text()
    assert source.startswith('# ') and 'tools/' in source.split('_base_')[0], 'say what it reproduces and the command'
    first = ast.parse(source).body[0]
    assert isinstance(first, ast.Assign) and first.targets[0].id == '_base_'


@pytest.mark.parametrize('path', LEAVES, **names)
def test_model_builds(path, tmp_path):
    cfg = Config.fromfile(path)
    if 'name_embeddings' in cfg.model:
        cfg.model.name_embeddings = str(tmp_path / 'names.pth')
        torch.save(dict(names=['cat', 'dog'], embeds=torch.eye(2, 1024)), cfg.model.name_embeddings)
    if cfg.model.get('encoder', {}).get('tokenizer', {}).get('type') == 'HFTokenizer':
        cfg.model.encoder.tokenizer.name_or_path = write_tokenizer(tmp_path / 'tokenizer')  # no network here
    if cfg.model.get('tokenizer', {}).get('type') == 'Florence2Tokenizer':
        # The released vocabulary is not bundled; this one has as many rows.
        cfg.model.tokenizer = dict(type='Florence2Tokenizer', vocabulary='trained', vocab_size=51289)
    if isinstance(cfg.model.get('head', {}).get('answers'), str):
        cfg.model.head.answers = ['yes', 'no']
    # Distributions read numbers off tensors, too; a test of the recipe mixes.
    (cfg.model.get('data_preprocessor') or {}).pop('blending', None)
    # mmdet's Swin reads numbers off tensors while it is built, which those without storage do not have.
    device = 'cpu' if 'SwinTransformer' in cfg.pretty_text else 'meta'
    with DefaultScope.overwrite_default_scope(cfg.default_scope), torch.device(device):
        model = MODELS.build(cfg.model)
    assert sum(parameter.numel() for parameter in model.parameters()) > 1e5


def datasets_of(node):
    if isinstance(node, dict):
        if 'data_root' in node:
            yield node
        node = list(node.values())
    if isinstance(node, list | tuple):
        for item in node:
            yield from datasets_of(item)


@pytest.mark.parametrize('path', LEAVES, **names)
def test_files_of_a_data_set_are_named_relative_to_its_root(path):
    """The root is put before them: `data/coco/` before `data/coco/captions.json` is a file that never is."""
    for dataset in datasets_of(Config.fromfile(path).to_dict()):
        root = dataset['data_root'].split('/')[0]
        joined = [dataset.get('ann_file'), dataset.get('image_file'), *(dataset.get('data_prefix') or {}).values()]
        assert [file for file in joined if isinstance(file, str) and file.split('/')[0] == root] == []


def write_tokenizer(folder):
    from tokenizers import Tokenizer, models, processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({'<s>': 0, '</s>': 1, '<unk>': 2}, unk_token='<unk>'))
    tokenizer.post_processor = processors.BertProcessing(('</s>', 1), ('<s>', 0))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, cls_token='<s>', sep_token='</s>').save_pretrained(folder)
    return str(folder)


def test_an_unresolvable_type_is_found():
    with pytest.raises(KeyError, match='CoSwim'):
        resolve_type('CoSwim', 'florence')
