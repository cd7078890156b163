"""VOC and YOLO to COCO, the check of a set, and name embeddings, as a user calls them."""

import importlib.util
import json

import numpy as np
import pytest
import torch
from coco_files import box, image, write_set
from conftest import REPO_ROOT
from PIL import Image

from florence.datasets import CocoDetection


def tool(name):
    spec = importlib.util.spec_from_file_location(name.rpartition('/')[2], REPO_ROOT / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(name, *arguments):
    tool(name).main([str(argument) for argument in arguments])


def test_voc_of_real_data_is_the_coco_file(test_data, tmp_path):
    root = test_data / 'det_bccd'
    call('dataset_converters/voc_to_coco', root / 'annotations', tmp_path / 'bccd.json')
    options = dict(img_prefix=str(root / 'images'), test_mode=True)
    made, given = (
        CocoDetection(str(tmp_path / 'bccd.json'), **options),
        CocoDetection(str(root / 'instances_coco.json'), **options),
    )
    assert made.metainfo['classes'] == given.metainfo['classes'] == ('Platelets', 'RBC', 'WBC')
    theirs = {info['img_path']: info for info in map(given.get_data_info, range(len(given)))}
    assert len(made) == len(given) == 364
    total = 0
    for info in map(made.get_data_info, range(len(made))):
        other = theirs[info['img_path']]
        assert info['instances'] == other['instances'] and info['width'] == other['width']
        total += len(info['instances'])
    assert total == 4888


XML = """<annotation><filename>1.png</filename><size><width>40</width><height>30</height></size>{objects}</annotation>"""
OBJECT = '<object><name>{name}</name>{extra}<bndbox><xmin>1</xmin><ymin>3</ymin><xmax>10</xmax><ymax>20</ymax></bndbox></object>'


def test_voc_details(tmp_path):
    folder = tmp_path / 'xml'
    folder.mkdir()
    objects = OBJECT.format(name='dog', extra='<difficult>1</difficult>') + OBJECT.format(name='cat', extra='')
    (folder / '1.xml').write_text(XML.format(objects=objects))
    (folder / '2.xml').write_text(XML.format(objects='').replace('1.png', '2.png').replace('<width>40</width>', ''))
    call('dataset_converters/voc_to_coco', folder, tmp_path / 'a.json', '--one-based', '--classes', 'dog,cat')
    found = json.loads((tmp_path / 'a.json').read_text())
    assert [entry['bbox'] for entry in found['annotations']] == [[0, 2, 10, 18]] * 2
    assert [entry.get('ignore') for entry in found['annotations']] == [1, None]
    assert found['categories'] == [{'id': 1, 'name': 'dog'}, {'id': 2, 'name': 'cat'}] and 'width' not in found['images'][1]
    (tmp_path / 'split.txt').write_text('2 -1\n')
    call('dataset_converters/voc_to_coco', folder, tmp_path / 'b.json', '--split', tmp_path / 'split.txt', '--classes', 'dog')
    assert [entry['file_name'] for entry in json.loads((tmp_path / 'b.json').read_text())['images']] == ['2.png']
    with pytest.raises(SystemExit, match="1.xml has an object 'cat', which --classes lacks"):
        call('dataset_converters/voc_to_coco', folder, tmp_path / 'c.json', '--classes', 'dog')
    (folder / '3.xml').write_text('<annotation><filename>')
    with pytest.raises(SystemExit, match='3.xml is no whole XML file'):
        call('dataset_converters/voc_to_coco', folder, tmp_path / 'c.json')
    (folder / '3.xml').write_text(XML.format(objects='<object><name>dog</name></object>'))
    with pytest.raises(SystemExit, match='no <bndbox>'):
        call('dataset_converters/voc_to_coco', folder, tmp_path / 'c.json')
    with pytest.raises(SystemExit, match='no .xml file'):
        call('dataset_converters/voc_to_coco', tmp_path, tmp_path / 'c.json')


@pytest.fixture
def yolo(tmp_path):
    for name in ('a/1', 'a/2', '3'):
        path = tmp_path / 'images' / f'{name}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((50, 100, 3), np.uint8)).save(path)
    (tmp_path / 'labels' / 'a').mkdir(parents=True)
    (tmp_path / 'labels/a/1.txt').write_text('1 0.5 0.5 0.2 0.4\n\n0 0.1 0.2 0.3 0.2 0.3 0.6\n')
    (tmp_path / 'labels/3.txt').write_text('')
    (tmp_path / 'data.yaml').write_text('names:\n  0: dog\n  1: cat\n')
    return tmp_path


def test_yolo(yolo, capsys):
    call('dataset_converters/yolo_to_coco', yolo / 'images', yolo / 'labels', yolo / 'out.json', '--classes', yolo / 'data.yaml')
    assert '2 categories, 3 images, 2 annotations; 1 images without a label file' in capsys.readouterr().out
    dataset = CocoDetection('out.json', data_root=yolo, img_prefix='images')
    found = dataset.get_data_info(1)
    assert found['img_path'].endswith('a/1.jpg') and dataset.metainfo['classes'] == ('dog', 'cat')
    cat, dog = found['instances']
    assert cat['bbox'] == pytest.approx([40, 15, 60, 35]) and cat['bbox_label'] == 1
    assert dog['bbox'] == pytest.approx([10, 10, 30, 30]) and dog['mask'] == [pytest.approx([10, 10, 30, 10, 30, 30])]
    assert [len(dataset.get_data_info(index)['instances']) for index in (0, 2)] == [0, 0]


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('labels/3.txt', '5 0.5 0.5 0.2 0.4', '3.txt, line 1: class 5, but there are 2 names'),
        ('labels/3.txt', '\n0 0.5 0.5 0.2', '3.txt, line 2: expected a class and 4 numbers'),
        ('labels/3.txt', '0 a b c d', 'expected a class'),
        ('labels/9.txt', '', '1 labels have no image'),
        ('images/3.jpg', 'no image', 'cannot read the size of .*3.jpg'),
        ('data.yaml', 'train: x', 'names no classes'),
        ('data.yaml', 'names: {0: a, 2: b}', 'not 0 to 1'),
    ],
)
def test_mistakes_in_yolo_labels(yolo, name, content, message):
    (yolo / name).write_text(content)
    with pytest.raises(SystemExit, match=message):
        call(
            'dataset_converters/yolo_to_coco',
            yolo / 'images',
            yolo / 'labels',
            yolo / 'out.json',
            '--classes',
            yolo / 'data.yaml',
        )
    assert not (yolo / 'out.json').exists()


def test_check_of_a_set(tmp_path):
    images = [image(1), image(2), image(3, width=41)]
    path = write_set(tmp_path, images, [box(1, 1, 7, [1, 1, 9, 9]), box(2, 2, 3, [30, 1, 90, 9], iscrowd=1)])
    data = (tmp_path / '2.png').read_bytes()
    (tmp_path / '2.png').write_bytes(data[: len(data) // 2])
    with pytest.raises(SystemExit) as stopped:
        call(
            'misc/check_detection_data',
            path,
            '--images',
            tmp_path,
            '--decode',
            '--json',
            tmp_path / 'report.json',
            '--classes',
            'dog',
        )
    report = json.loads((tmp_path / 'report.json').read_text())
    assert stopped.value.code == 1 and report['classes'] == {'dog': 1} and report['boxes_of_other_classes'] == 1
    assert (report['images'], report['images_without_boxes'], report['boxes'], report['crowds']) == (3, 1, 2, 1)
    assert report['faults'] == {
        'images that cannot be decoded': 1, 'images of another size than the file says': 1, 'boxes clipped to their image': 1,
    }  # fmt: skip
    assert '40 x 30, not 41 x 30' in report['first_faults']['images of another size than the file says']
    clean = write_set(tmp_path / 'clean', [image(1)], [box(1, 1, 7, [1, 1, 9, 9])])
    with pytest.raises(SystemExit) as stopped:
        call('misc/check_detection_data', clean, '--images', tmp_path / 'clean')
    assert stopped.value.code == 0
    with pytest.raises(SystemExit, match="no category 'bird'"):
        call('misc/check_detection_data', clean, '--images', tmp_path / 'clean', '--classes', 'bird')


def test_name_embeddings_of_a_two_tower_model(tmp_path):
    from florence.apis import load_two_tower
    from florence.models.detectors.name_embeddings import read_name_embeddings

    config = REPO_ROOT / 'tests/configs/tiny_two_tower.py'
    model = load_two_tower(str(config))
    model.tokenizer.tokenizer.train(['a photo of a cat.', 'a photo of a dog.'])
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    path = write_set(tmp_path, [image(1)], [])
    call('misc/write_name_embeddings', path, tmp_path / 'names.pth', '--model', config, '--checkpoint', tmp_path / 'model.pth')
    names, embeds = read_name_embeddings(tmp_path / 'names.pth')
    assert names == ('cat', 'dog')
    torch.testing.assert_close(embeds, model.class_embeddings(names).detach())
