"""Small files of every form merged by the tool: shared images, joined classes, what was checked, and counts that add up."""

import csv
import importlib.util
import json

import pytest
from coco_files import box, image, write_set
from conftest import REPO_ROOT

from florence.datasets import CocoDetection


def tool(name):
    spec = importlib.util.spec_from_file_location(name, REPO_ROOT / 'tools' / 'dataset_converters' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def data(tmp_path):
    """COCO (3 images), LVIS over two of them and one more, Objects365, OpenImages."""
    lvis = [
        {'id': number, 'coco_url': f'http://images/coco/{number}.png', 'width': 40, 'height': 30,
         'neg_category_ids': absent, 'not_exhaustive_category_ids': incomplete}
        for number, absent, incomplete in ((1, [3], []), (2, [], [1]), (9, [2], []))
    ]  # fmt: skip
    categories = [
        {'id': 1, 'name': 'car_(automobile)', 'synonyms': ['car_(automobile)', 'auto']},
        {'id': 2, 'name': 'cellular_telephone', 'synonyms': ['cellular_telephone', 'cellphone']},
        {'id': 3, 'name': 'zebra', 'synonyms': ['zebra']},
        {'id': 4, 'name': 'bow_(weapon)', 'synonyms': []},
        {'id': 5, 'name': 'bow_(decorative_ribbons)', 'synonyms': []},
    ]
    boxes = [
        box(1, 1, 1, [1, 1, 20, 19]), box(2, 1, 1, [25, 1, 9, 9]), box(3, 1, 2, [1, 1, 20, 20]),
        box(4, 2, 1, [5, 5, 9, 9]), box(5, 9, 3, [1, 1, 9, 9]), box(6, 99, 3, [1, 1, 9, 9]),
    ]  # fmt: skip
    write_set(tmp_path / 'coco', [image(9)], [])
    (tmp_path / 'lvis.json').write_text(json.dumps(dict(images=lvis, annotations=boxes, categories=categories)))
    write_set(
        tmp_path / 'coco', [image(1), image(2), image(3)],
        [
            box(1, 1, 1, [1, 1, 20, 20], segmentation=[[1, 1, 9, 9, 1, 9]]), box(2, 1, 2, [5, 5, 9, 9]),
            box(3, 2, 1, [30, 20, 20, 20]), box(4, 3, 2, [1, 1, 30, 20], iscrowd=1),
        ],
        [{'id': 1, 'name': 'car'}, {'id': 2, 'name': 'cell phone'}],
    )  # fmt: skip
    o365 = [{'id': 5, 'name': 'Cars'}, {'id': 6, 'name': 'Bow'}, {'id': 7, 'name': 'Zebra/horse'}]
    write_set(tmp_path / 'o365', [image(1)], [box(1, 1, 5, [1, 1, 9, 9]), box(2, 1, 6, [1, 1, 0, 9])], o365)
    write_set(tmp_path / 'oi', [image('aa', file_name='aa.jpg'), image('bb', file_name='bb.jpg')], [])
    for name, rows in (
        ('boxes', [
            ['ImageID', 'Source', 'LabelName', 'Confidence', 'XMin', 'XMax', 'YMin', 'YMax', 'IsGroupOf'],
            ['aa', 'xclick', '/m/1', '1', '0.25', '0.75', '0.5', '1.0', '0'],
            ['aa', 'xclick', '/m/2', '1', '0', '0.5', '0', '0.5', '1'],
            ['gone', 'xclick', '/m/2', '1', '0', '0.5', '0', '0.5', '0'],
        ]),
        ('classes', [['/m/1', 'Zebra'], ['/m/2', 'Auto'], ['/m/3', 'Bell']]),
        ('labels', [
            ['ImageID', 'Source', 'LabelName', 'Confidence'],
            ['aa', 'verification', '/m/1', '1'], ['aa', 'verification', '/m/3', '0'], ['bb', 'verification', '/m/1', '0'],
        ]),
    ):  # fmt: skip
        with (tmp_path / f'{name}.csv').open('w', newline='') as file:
            csv.writer(file).writerows(rows)
    return tmp_path


def sources(data):
    tables = ','.join(str(data / f'{name}.csv') for name in ('classes', 'boxes', 'labels'))
    return {
        'coco': f'{data}/coco/ann.json:coco',
        'lvis': f'{data}/lvis.json:.',
        'o365': f'{data}/o365/ann.json:o365',
        'oi': f'{tables}:oi',
    }


def merge(data, *options, names=('coco', 'lvis', 'o365', 'oi')):
    arguments = [item for name in names for item in ('--source', f'{name}={sources(data)[name]}')]
    tool('merge_flod').main([*arguments, '--root', str(data), '--out', str(data / 'flod.json'), *options])
    return json.loads((data / 'flod.json').read_text()), json.loads((data / 'flod.report.json').read_text())


def test_classes_images_boxes_and_checks(data):
    merged, report = merge(data)
    names = {entry['id']: entry['name'] for entry in merged['categories']}
    assert list(names.values()) == [
        'car',
        'cell phone',
        'zebra',
        'bow (weapon)',
        'bow (decorative ribbons)',
        'Bow',
        'Zebra/horse',
        'Bell',
    ]
    members = {entry['name']: [f'{item["source"]}:{item["name"]}' for item in entry['members']] for entry in merged['categories']}
    assert members['car'] == ['coco:car', 'lvis:car_(automobile)', 'o365:Cars', 'oi:Auto']
    assert members['cell phone'] == ['coco:cell phone', 'lvis:cellular_telephone']
    images = {entry['file_name']: entry for entry in merged['images']}
    assert list(images) == ['coco/1.png', 'coco/2.png', 'coco/3.png', 'coco/9.png', 'o365/1.png', 'oi/aa.jpg']
    checked = {name: [names[number] for number in entry.get('checked_category_ids', ())] for name, entry in images.items()}
    assert checked == {
        'coco/1.png': ['car', 'cell phone', 'zebra'], 'coco/2.png': ['car', 'cell phone'], 'coco/3.png': [],
        'coco/9.png': ['cell phone', 'zebra'], 'o365/1.png': [], 'oi/aa.jpg': ['zebra', 'Bell'],
    }  # fmt: skip
    assert images['coco/1.png']['merged_from'] == ['coco', 'lvis'] and images['coco/3.png']['source'] == 'coco'
    by_source = {entry['name']: [names[number] for number in entry['category_ids']] for entry in merged['sources']}
    assert by_source['coco'] == ['car', 'cell phone'] and by_source['o365'] == ['car', 'Bow', 'Zebra/horse']
    found = [(entry['image_id'], names[entry['category_id']], entry['bbox'], entry['iscrowd']) for entry in merged['annotations']]
    assert found == [
        (1, 'car', [1, 1, 20, 20], 0), (1, 'cell phone', [5, 5, 9, 9], 0),
        (1, 'car', [25, 1, 9, 9], 0), (1, 'cell phone', [1, 1, 20, 20], 0),
        (2, 'car', [30, 20, 10, 10], 0), (2, 'car', [5, 5, 9, 9], 0),
        (3, 'cell phone', [1, 1, 30, 20], 1), (4, 'zebra', [1, 1, 9, 9], 0),
        (5, 'car', [1, 1, 9, 9], 0), (6, 'zebra', [10, 15, 20, 15], 0), (6, 'car', [0, 0, 20, 15], 1),
    ]  # fmt: skip
    assert [entry['id'] for entry in merged['annotations']] == list(range(1, 12))


def test_the_report_adds_up(data):
    merged, report = merge(data)
    own = report['sources'].values()
    total = report['merged']
    assert sum(entry['images'] for entry in own) - total['repeated_images'] == total['images'] == len(merged['images']) == 6
    assert sum(entry['boxes'] for entry in own) - total['duplicate_boxes'] == total['boxes'] == len(merged['annotations']) == 11
    assert sum(entry['classes'] for entry in own) - total['joined_classes'] == total['classes'] == len(merged['categories']) == 8
    assert (total['repeated_images'], total['duplicate_boxes'], total['joined_classes']) == (2, 1, 5)
    left_out = {name: entry['repaired_or_left_out'] for name, entry in report['sources'].items()}
    assert left_out == {
        'coco': {'boxes clipped to their image': 1},
        'lvis': {'annotations of an image that the file does not list left out': 1},
        'o365': {'boxes shorter than one pixel within their image left out': 1},
        'oi': {'images without a readable file left out': 1, 'boxes of those images left out': 1},
    }
    assert report['sources']['coco']['segmentations_left_out'] == 1
    reasons = {entry['name']: entry['reasons'] for entry in report['classes']['joined']}
    assert reasons == {'car': ['disambiguator', 'plural', 'synonym'], 'cell phone': ['synonym'], 'zebra': ['same name']}
    assert [entry['key'] for entry in report['classes']['ambiguous']] == ['bow']
    assert [entry['key'] for entry in report['classes']['kept_apart']] == ['zebra']


def test_the_merged_file_trains_as_it_says(data):
    merge(data)
    dataset = CocoDetection('flod.json', data_root=data)
    assert len(dataset) == 6 and dataset.dirt == {}
    classes = dataset.metainfo['classes']
    checked = [[classes[label] for label in dataset.get_data_info(index)['checked_labels']] for index in range(6)]
    assert (
        checked[0] == ['car', 'cell phone', 'zebra'] and checked[2] == ['car', 'cell phone'] and checked[5] == ['zebra', 'Bell']
    )
    tool('merge_flod').main(['--source', f'all={data}/flod.json:.', '--root', str(data), '--out', str(data / 'again.json')])
    twice = CocoDetection('again.json', data_root=data)
    for index in range(6):
        one, other = dataset.get_data_info(index), twice.get_data_info(index)
        assert one['instances'] == other['instances']
        assert one['checked_labels'].tolist() == other['checked_labels'].tolist()


def test_identity_of_images(data):
    (data / 'o365/1.png').unlink()
    (data / 'o365/1.png').symlink_to(data / 'coco/1.png')
    counts = {}
    for identity in ('path', 'file', 'content'):
        merged, _ = merge(data, '--identity', identity, names=('coco', 'o365'))
        counts[identity] = len(merged['images'])
    assert counts == {'path': 4, 'file': 3, 'content': 3}


def test_what_the_user_says_is_one_class(data):
    merged, report = merge(data, '--same', 'o365:Bow=lvis:bow_(weapon)')
    assert report['merged']['classes'] == 7
    joined = {entry['name']: entry['reasons'] for entry in report['classes']['joined']}
    assert joined['bow (weapon)'] == ['asked for']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--source', 'coco=ann.json'], 'expected NAME=FILE'),
        (['--source', 'coco={data}/none.json:coco'], 'no annotation file'),
        (['--source', 'oi={data}/boxes.csv:oi'], 'needs a table of boxes and one of class'),
        (['--source', 'a={data}/coco/ann.json:nowhere'], 'no image folder'),
        (['--source', 'a={data}/coco/ann.json:coco', '--source', 'a={data}/o365/ann.json:o365'], 'a name of its own'),
        (['--source', 'a={data}/coco/ann.json:coco', '--same', 'a:car=b:Cars'], "no class 'b:Cars'"),
    ],
)
def test_mistakes_get_a_sentence(data, arguments, message):
    arguments = [argument.format(data=data) for argument in arguments]
    with pytest.raises(SystemExit, match=message):
        tool('merge_flod').main([*arguments, '--root', str(data), '--out', str(data / 'x.json')])
    assert not (data / 'x.json').exists()


def test_names_of_sources_in_the_merged_file(data):
    pseudo = dict(sources=[dict(name='pseudo', category_ids=[], federated=True)])
    write_set(data / 'boxes', [image(1, source='pseudo')], [box(1, 1, 7, [1, 1, 9, 9], score=0.75)], **pseudo)
    argument = f'imagenet={data}/boxes/ann.json:boxes'
    merged, _ = merge(data, '--source', argument, names=('coco',))
    assert [(entry['name'], entry['federated']) for entry in merged['sources']] == [('coco', False), ('imagenet', True)]
    dataset = CocoDetection('flod.json', data_root=data, negative_weights=dict(imagenet=0.1))
    info = dataset.get_data_info(3)
    assert (
        info['negative_weight'] == 0.1 and info['checked_labels'].tolist() == [] and list(info['label_scores'].values()) == [0.75]
    )
    (data / 'flod.json').rename(data / 'first.json')
    tool('merge_flod').main(['--source', f'all={data}/first.json:.', '--root', str(data), '--out', str(data / 'second.json')])
    assert [entry['name'] for entry in json.loads((data / 'second.json').read_text())['sources']] == ['all/coco', 'all/imagenet']
