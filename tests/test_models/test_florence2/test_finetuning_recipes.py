"""Each fine-tuning recipe of Florence-2, shrunk, on tiny files in the real forms and places: a step, a validation, a test."""

import json
import math
import pickle

import pytest
from conftest import REPO_ROOT
from mmengine.hooks import Hook
from PIL import Image
from tiny_florence2 import VOCAB_SIZE, tokenizer_state

from florence.engine import StrategyRunner
from florence.engine.config_files import load_config

SQUARE = [[4, 4, 24, 4, 24, 24, 4, 24]]
RECIPES = {
    'caption-768_coco': 'CAPTION/CIDEr',
    'caption-768_nocaps': 'CAPTION/CIDEr',
    'caption-768_textcaps': 'CAPTION/CIDEr',
    'detection-768_coco': 'OD/mAP',
    'grounding-768_flickr30k': 'CAPTION_TO_PHRASE_GROUNDING/R@1_merged',
    'referring-768_refcoco': 'rec_testB/CAPTION_TO_PHRASE_GROUNDING/accuracy@0.5',
    'referring-768_refcocoplus': 'res_testA/REFERRING_EXPRESSION_SEGMENTATION/oIoU',
    'referring-768_refcocog': 'res_test/REFERRING_EXPRESSION_SEGMENTATION/mIoU',
    'vqa-768_docvqa': 'docvqa_test.json',
    'vqa-768_textvqa': 'textvqa_test.json',
    'vqa-768_vqav2': 'vqa_v2_test2015.json',
}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content)
    else:
        path.write_text(json.dumps(content))


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (48, 32), (200, 60, 60)).save(path)


def write_coco(root):
    """Boxes of 2017, captions and Karpathy's splits of 2014; COCO's photographs serve other sets, too."""
    karpathy = []
    for split, numbers in (
        ('train2014', (1, 2)),
        ('val2014', (3, 4, 5)),
        ('train2017', (1,)),
        ('val2017', (3,)),
        ('test2015', (9,)),
    ):
        images = [dict(id=number, file_name=f'COCO_{split}_{number:012d}.jpg', width=48, height=32) for number in numbers]
        for image in images:
            picture(root / split / image['file_name'])
        captions = [dict(id=image['id'], image_id=image['id'], caption='a red wall.') for image in images]
        boxes = [
            dict(
                id=image['id'], image_id=image['id'], bbox=[4, 4, 20, 20], category_id=1, iscrowd=0, area=400, segmentation=SQUARE
            )
            for image in images
        ]
        write(root / f'annotations/captions_{split}.json', dict(images=images, annotations=captions))
        categories = [dict(id=1, name='wall')]
        write(root / f'annotations/instances_{split}.json', dict(images=images, annotations=boxes, categories=categories))
        names = dict(zip((3, 4, 5), ('restval', 'val', 'test'))) if split == 'val2014' else {}
        if split.endswith('2014'):
            karpathy += [dict(filename=image['file_name'], split=names.get(image['id'], 'train')) for image in images]
    write(root / 'annotations/dataset_coco.json', dict(images=karpathy))


def write_captions(root):
    """NoCaps and TextCaps."""
    image = dict(id=0, file_name='00a.jpg', width=48, height=32, domain='in-domain')
    captions = [dict(id=number, image_id=0, caption='A red wall.') for number in range(2)]
    write(root / 'nocaps/nocaps_val_4500_captions.json', dict(images=[image], annotations=captions))
    picture(root / 'nocaps/val/00a.jpg')
    for split in ('train', 'val'):
        entries = [dict(image_id='00a', caption_id=number, caption_str='A red wall.') for number in range(2)]
        write(root / f'textcaps/TextCaps_0.1_{split}.json', dict(data=entries))


def write_questions(root):
    """VQAv2, TextVQA and DocVQA."""
    for split, numbers in (('train2014', (1, 2)), ('val2014', (3, 4)), ('test2015', (9,))):
        questions = [dict(question_id=10 * number, image_id=number, question='which colour?') for number in numbers]
        write(root / f'vqa_v2/v2_OpenEnded_mscoco_{split}_questions.json', dict(data_subtype=split, questions=questions))
        answers = [
            dict(
                question_id=question['question_id'], answers=[dict(answer='red')] * 10, question_type='which', answer_type='other'
            )
            for question in questions
        ]
        write(root / f'vqa_v2/v2_mscoco_{split}_annotations.json', dict(annotations=answers))
    for split in ('train', 'val', 'test'):
        answers = {} if split == 'test' else dict(answers=['red'] * 10)
        write(
            root / f'textvqa/TextVQA_0.5.1_{split}.json',
            dict(data=[dict(question_id=1, image_id='00a', question='?', **answers)]),
        )
        page = dict(questionId=2, image='documents/a_1.png', question='what?', **answers)
        write(root / f'docvqa/{split}_v1.0.json', dict(data=[page]))
    for file in ('textvqa/train_images/00a.jpg', 'textvqa/test_images/00a.jpg', 'docvqa/documents/a_1.png'):
        picture(root / file)


def write_phrases(root):
    """Flickr30k Entities and the three sets of REFER."""
    for split in ('train', 'val', 'test'):
        write(root / f'flickr30k/{split}.txt', '5\n')
    write(root / 'flickr30k/Sentences/5.txt', '[/EN#1/scene A red wall] .\n')
    box = '<xmin>5</xmin><ymin>5</ymin><xmax>25</xmax><ymax>25</ymax>'
    write(root / 'flickr30k/Annotations/5.xml', f'<annotation><object><name>1</name><bndbox>{box}</bndbox></object></annotation>')
    picture(root / 'flickr30k/images/5.jpg')
    for folder, by, splits in (
        ('refcoco', 'unc', ('train', 'val', 'testA', 'testB')),
        ('refcoco+', 'unc', ('train', 'val', 'testA', 'testB')),
        ('refcocog', 'umd', ('train', 'val', 'test')),
    ):
        references = [
            dict(ref_id=number, ann_id=1, image_id=1, split=split, sentences=[dict(sent_id=number, sent='the wall')])
            for number, split in enumerate(splits)
        ]
        write(root / f'refcoco/{folder}/refs({by}).p', pickle.dumps(references, protocol=0))
        instances = (root / 'coco/annotations/instances_train2014.json').read_text()
        write(root / f'refcoco/{folder}/instances.json', instances)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """`data/` as the recipes expect it."""
    root = tmp_path_factory.mktemp('sets')
    for part in (write_coco, write_captions, write_questions, write_phrases):
        part(root / 'data' / 'coco' if part is write_coco else root / 'data')
    return root


def shrink(node):
    """Small pictures, small batches and no processes, wherever they stand."""
    if isinstance(node, list | tuple):
        for child in node:
            shrink(child)
    elif isinstance(node, dict):
        if node.get('type') == 'ResizeWhole':
            node.update(height=64, width=64)
        if 'num_workers' in node:
            node.update(batch_size=2, num_workers=0, persistent_workers=False)
        if 'reserve' in node:
            node['reserve']['images'] = 1
        for child in node.values():
            shrink(child)


def shrunk(name, work_dir):
    """The recipe with one step and a model of 0.3 M parameters."""
    cfg = load_config(str(REPO_ROOT / 'configs' / 'florence2' / f'florence2-base_{name}.py'))
    for part in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        shrink(cfg[part])
    cfg.model.vision_tower.arch = dict(embed_dims=(8, 16, 32, 64), depths=(1, 1, 2, 1), num_heads=(1, 2, 4, 8), window_size=4)
    cfg.model.language_model.arch = dict(embed_dims=32, num_layers=1, num_heads=4, mlp_dims=64)
    cfg.model.tokenizer.update(vocabulary='trained', vocab_size=VOCAB_SIZE)
    cfg.model.search = dict(num_beams=1, max_new_tokens=4)
    cfg.train_cfg.update(max_iters=1, val_interval=1)
    cfg.update(work_dir=str(work_dir), log_level='WARNING', vis_backends=[], visualizer=None)
    return cfg


class Losses(Hook):
    """Keeps losses; gives the model a vocabulary, as the files of the released one are not here."""

    def __init__(self):
        self.found = []

    def before_train(self, runner):
        runner.model.tokenizer.set_extra_state(tokenizer_state())

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.found.append(outputs['loss'].item())


@pytest.mark.parametrize('name', RECIPES)
def test_takes_a_step_and_is_judged(name, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    runner = StrategyRunner.from_cfg(shrunk(name, tmp_path))
    losses = Losses()
    runner.register_hook(losses)
    runner.train()
    assert len(losses.found) == 1 and math.isfinite(losses.found[0])
    figures = runner.test()
    wanted = RECIPES[name]
    if wanted.endswith('.json'):
        (entry,) = json.loads((folder / 'work_dirs' / wanted).read_text())
        assert figures == {} and isinstance(entry['question_id'], int) and isinstance(entry['answer'], str)
    else:
        assert 0 <= figures[wanted] <= 1000
