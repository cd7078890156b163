"""Data sets of actions: every layout, faults of annotations, broken videos."""

import json
import shutil
from pathlib import Path

import pytest
from mmengine.registry import DATASETS, DefaultScope
from video_files import write_video

from florence.datasets import ActionClips, BadSample, TooManyBadSamples
from florence.datasets.video.action_lists import VIDEO_SUFFIXES
from florence.datasets.video.published_action_sets import in_words

PIPELINE = [
    dict(type='florence.OpenVideo'),
    dict(type='florence.SampleClips', clip_len=2),
    dict(type='florence.DecodeVideo'),
]


@pytest.fixture
def folder(tmp_path):
    """Files by path, empty ones; the annotation's own files are written by the test."""

    def make(*paths, **texts):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(b'')
        for name, text in texts.items():
            (tmp_path / name.replace('__', '.')).write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(tmp_path)

    return make


def labels(dataset):
    return [(dataset.get_data_info(i)['sample_id'], dataset.get_data_info(i)['label']) for i in range(len(dataset))]


def test_list_as_mmaction_reads_it(folder):
    from mmaction.datasets import VideoDataset

    root = folder('a/1.mp4', 'a/2.mp4', 'b/3.mp4', list__txt='a/1.mp4 0\nb/3.mp4 1\na/2.mp4 0\n')
    ours = ActionClips('list.txt', data_root=root, num_classes=2)
    theirs = VideoDataset(f'{root}/list.txt', pipeline=[], data_prefix=dict(video=root))
    assert [(f'{root}/{path}', label) for path, label in labels(ours)] == [
        (theirs.get_data_info(i)['filename'], theirs.get_data_info(i)['label']) for i in range(3)
    ]
    info = ours.get_data_info(1)
    assert (info['filename'], info['start_index'], info['modality']) == (f'{root}/b/3.mp4', 0, 'RGB')


def test_paths_with_blanks_and_other_delimiters(folder):
    root = folder('abseiling/my clip.mp4', list__txt='abseiling/my clip.mp4 4\n', other__txt='abseiling/my clip.mp4,4\n')
    assert labels(ActionClips('list.txt', data_root=root)) == [('abseiling/my clip.mp4', 4)]
    assert labels(ActionClips('other.txt', data_root=root, delimiter=',')) == [('abseiling/my clip.mp4', 4)]


def test_records(folder):
    root = folder('1.mp4', '2.mp4', t__csv='path,label\n1.mp4,run\n2.mp4,jump\n', t__json='[{"file": "1.mp4", "y": 1}]')
    dataset = ActionClips('t.csv', data_root=root, classes=('Jump', 'run'))
    assert labels(dataset) == [('1.mp4', 1), ('2.mp4', 0)] and dataset.metainfo['classes'] == ('Jump', 'run')
    assert labels(ActionClips('t.json', data_root=root, columns=('file', 'y'))) == [('1.mp4', 1)]
    with pytest.raises(KeyError, match="record 0 has no columns 'path' and 'label'.*found file, y"):
        ActionClips('t.json', data_root=root)


def test_names_of_classes_and_their_number_must_agree(folder):
    root = folder('1.mp4', t__csv='path,label\n1.mp4,run\n')
    with pytest.raises(ValueError, match='2 names of classes, 2 of them different, expected 400'):
        ActionClips('t.csv', data_root=root, classes=('jump', 'run'), num_classes=400)
    with pytest.raises(ValueError, match='2 names of classes, 1 of them different, expected different ones'):
        ActionClips('t.csv', data_root=root, classes=('Run', 'run'))


def test_folder_per_class(folder):
    root = folder(
        'v/ride_horse/b.avi', 'v/ride_horse/x/a.mp4', 'v/clap/c.webm', 'v/clap/notes.txt', names__txt='ride horse\nclap\n'
    )
    dataset = ActionClips(data_root=root, data_prefix=dict(video='v'))
    assert labels(dataset) == [('clap/c.webm', 0), ('ride_horse/b.avi', 1), ('ride_horse/x/a.mp4', 1)]
    assert dataset.metainfo['classes'] == ('clap', 'ride horse') and dataset.get_cat_ids(2) == [1]
    assert dataset.get_data_info(0)['classes'] is dataset.get_data_info(2)['classes']
    named = ActionClips(data_root=root, data_prefix=dict(video='v'), classes='names.txt')
    assert labels(named)[0] == ('clap/c.webm', 1)


def test_kinetics(folder):
    table = 'label,youtube_id,time_start,time_end,split\nriding a bike,---0dWlqevI,19,29,train\nabseiling,-_x,0,10,train\n'
    root = folder(
        'train/riding a bike/---0dWlqevI_000019_000029.mp4', 'train/abseiling/-_x_000000_000010.mp4',
        'flat/---0dWlqevI_000019_000029.mp4', 'flat/-_x_000000_000010.mp4', train__csv=table,
    )  # fmt: skip
    options = dict(data_root=root, layout='kinetics')
    dataset = ActionClips('train.csv', data_prefix=dict(video='train'), **options)
    assert labels(dataset)[0] == ('riding a bike/---0dWlqevI_000019_000029.mp4', 1)
    assert dataset.metainfo['classes'] == ('abseiling', 'riding a bike')
    template = '{youtube_id}_{time_start:06d}_{time_end:06d}.mp4'
    flat = ActionClips('train.csv', data_prefix=dict(video='flat'), path_template=template, **options)
    assert labels(flat) == [('---0dWlqevI_000019_000029.mp4', 1), ('-_x_000000_000010.mp4', 0)]


def test_dead_links_are_left_out_on_demand(folder, log_lines):
    root = folder('1.mp4', list__txt='1.mp4 0\n2.mp4 1\n3.mp4 1\n')
    with pytest.raises(FileNotFoundError, match=r"2 of 3 videos are missing: .*2\.mp4, .*3\.mp4; set on_missing='leave_out'"):
        ActionClips('list.txt', data_root=root)
    assert labels(ActionClips('list.txt', data_root=root, on_missing='leave_out')) == [('1.mp4', 0)]
    assert any('2 of 3 videos are missing' in line and line.endswith('left out') for line in log_lines)
    folder(gone__txt='7.mp4 0\n')
    with pytest.raises(FileNotFoundError, match='1 of 1 videos are missing'):
        ActionClips('gone.txt', data_root=root, on_missing='leave_out')


def test_something_something(folder):
    names = {'Holding something': '1', 'Approaching something with your camera': '0'}
    records = [
        dict(id='78687', label='holding potato', template='Holding [something]'),
        dict(id='42326', label='x', template='Approaching [something] with your camera'),
    ]
    root = folder('v/78687.webm', 'v/42326.webm', labels__json=json.dumps(names), train__json=json.dumps(records))
    options = dict(data_root=root, layout='ssv2', data_prefix=dict(video='v'))
    dataset = ActionClips('train.json', **options)
    assert labels(dataset) == [('78687.webm', 1), ('42326.webm', 0)]
    assert dataset.metainfo['classes'][1] == 'Holding something'
    folder(test__json='[{"id": "1"}]')
    with pytest.raises(KeyError, match="record 0 has no field 'template', found id"):
        ActionClips('test.json', **options)


def test_ucf101(folder):
    files = ('v/ApplyEyeMakeup/v_1.avi', 'v/YoYo/v_2.avi')
    root = folder(
        *files,
        classInd__txt='1 ApplyEyeMakeup\n2 YoYo\n',
        trainlist01__txt='YoYo/v_2.avi 2\n',
        testlist01__txt='ApplyEyeMakeup/v_1.avi\n',
    )
    options = dict(data_root=root, layout='ucf101', data_prefix=dict(video='v'))
    assert labels(ActionClips('trainlist01.txt', **options)) == [('YoYo/v_2.avi', 1)]
    test = ActionClips('testlist01.txt', **options)
    assert labels(test) == [('ApplyEyeMakeup/v_1.avi', 0)] and test.metainfo['classes'] == ('apply eye makeup', 'yo yo')
    with pytest.raises(ValueError, match='has 2 classes, `classes` names 1'):
        ActionClips('testlist01.txt', classes=['x'], **options)
    assert in_words('HandstandPushups') == 'handstand pushups'


def test_hmdb51(folder):
    root = folder('v/brush_hair/a.avi', 'v/brush_hair/b.avi', 'v/wave/c.avi', 'v/wave/d.avi')
    splits = Path(root, 'splits')
    splits.mkdir()
    for name, text in (('brush_hair', 'a.avi 1\nb.avi 2 \n'), ('wave', 'c.avi 0\nd.avi 1\n')):
        (splits / f'{name}_test_split2.txt').write_text(text)
    options = dict(data_root=root, layout='hmdb51', data_prefix=dict(video='v'), fold=2)
    train = ActionClips('splits', split='train', **options)
    assert labels(train) == [('brush_hair/a.avi', 0), ('wave/d.avi', 1)]
    assert labels(ActionClips('splits', split='test', **options)) == [('brush_hair/b.avi', 0)]
    assert train.metainfo['classes'] == ('brush hair', 'wave')
    with pytest.raises(ValueError, match='split is one of train, test, not None'):
        ActionClips('splits', **options)
    with pytest.raises(ValueError, match=r'has no file \*_test_split3\.txt'):
        ActionClips('splits', split='train', **{**options, 'fold': 3})


@pytest.mark.parametrize(
    ('text', 'options', 'error', 'message'),
    [
        ('1.mp4 2\n', dict(num_classes=2), ValueError, r'label 2 of 1\.mp4 is out of range of 2 classes \(0 to 1\)'),
        ('1.mp4 -1\n', {}, ValueError, r'label -1 of 1\.mp4 is out of range'),
        ('1.mp4 2\n', dict(classes=('a', 'b')), ValueError, 'out of range of 2 classes'),
        ('1.mp4 jump\n', dict(classes=('a', 'b')), KeyError, "the class 'jump', which is none of the 2"),
        ('1.mp4 jump\n', {}, KeyError, 'give the class names in `classes`'),
        ('1.mp4\n', {}, ValueError, r'line 1 must be "path label", found .1\.mp4'),
        ('', {}, ValueError, 'no sample found'),
        ('1.mp4 0\n', dict(classes='kinetics9'), FileNotFoundError, "no class names for 'kinetics9'"),
        ('1.mp4 0\n', dict(layout='ava'), ValueError, "layout is one of .*, not 'ava'"),
        ('1.mp4 0\n', dict(on_missing='ignore'), ValueError, "not 'ignore'"),
        ('1.mp4 0\n', dict(data_prefix=dict(img='v')), ValueError, r"dict\(video='...'\)"),
        ('1.mp4 0\n', dict(data_prefix=dict(video='v')), FileNotFoundError, 'no video folder at'),
    ],
)
def test_faults_of_an_annotation_are_named(folder, text, options, error, message):
    root = folder('1.mp4', list__txt=text)
    with pytest.raises(error, match=message):
        ActionClips('list.txt', data_root=root, **options)


TEXTS = dict(list__txt='1.mp4 0\n', latin__txt='caf\xe9.mp4 0\n'.encode('latin-1'), t__csv='path,label\n1.mp4,0\n')


@pytest.mark.parametrize(
    ('ann_file', 'options', 'message'),
    [
        ('list.txt', dict(fold=2), "fold belongs to layout 'hmdb51', this one is 'list'"),
        ('list.txt', dict(columns=('a', 'b')), "columns belongs to layout 'records'"),
        ('t.csv', dict(delimiter=','), "delimiter belongs to layout 'list', this one is 'records'"),
        ('', dict(path_template='{label}.mp4'), "path_template belongs to layout 'kinetics', this one is 'folders'"),
        ('list.txt', dict(layout='folders'), r"'folders' takes no annotation, remove ann_file='list\.txt'"),
        ('', dict(layout='list'), "'list' needs an annotation"),
        ('list.txt', dict(delimiter=''), r'list\.txt: delimiter .* cannot be empty'),
        ('list.txt', dict(layout='records'), r'records are read from json, jsonl, csv, tsv files, not from .*list\.txt'),
        ('t.csv', dict(columns=('path', 'label', 'fold')), r"t\.csv: columns .* two names, not \('path', 'label', 'fold'\)"),
        ('latin.txt', {}, r'latin\.txt is not encoded in UTF-8'),
        ('list.txt', dict(indices=[0, 1]), r'list\.txt has 1 samples, `indices` names 1'),
    ],
)
def test_arguments_that_do_not_fit_are_refused(folder, ann_file, options, message):
    with pytest.raises(ValueError, match=message):
        ActionClips(ann_file, data_root=folder('1.mp4', **TEXTS), **options)


def test_the_mark_of_a_spreadsheet_is_no_part_of_a_path(folder):
    root = folder('1.mp4', list__txt='\ufeff1.mp4 run\n', names__txt='\ufeffrun\n')
    assert labels(ActionClips('list.txt', data_root=root, classes='names.txt')) == [('1.mp4', 0)]


KINETICS = 'label,youtube_id,time_start,time_end\nrun,x,{},10\n'


@pytest.mark.parametrize(
    ('layout', 'texts', 'error', 'message'),
    [
        ('kinetics', dict(a__csv=KINETICS.format('')), ValueError, r"a\.csv: record 0, time_start must be seconds, found ''"),
        ('kinetics', dict(a__csv=KINETICS.format('inf')), ValueError, "must be seconds, found 'inf'"),
        ('kinetics', dict(a__csv='label,youtube_id\nrun,x\n'), KeyError, "record 0 has no field 'time_start'"),
        ('kinetics', dict(a__csv=KINETICS.format(0).replace('run', ' ')), ValueError, 'record 0 has an empty label'),
        ('ssv2', dict(labels__json='["a"]', a__json='[]'), ValueError, r'labels\.json must hold one object'),
        ('ssv2', dict(labels__json='{"a": "1"}', a__json='[]'), ValueError, r'labels\.json must number its 1 classes 0 to 0'),
        ('ssv2', dict(labels__json='{"a": "0"}', a__json='[{"template": "a"}]'), KeyError, "record 0 has no field 'id'"),
        ('ucf101', dict(classInd__txt='1 Run\nJump\n', a__txt=''), ValueError, 'line 2 must be "2 ClassName", found .Jump'),
        ('ucf101', dict(classInd__txt='2 Run\n1 Jump\n', a__txt=''), ValueError, r'classInd\.txt, line 1 must be "1 ClassName"'),
    ],
)
def test_faults_of_published_files_are_named(folder, layout, texts, error, message):
    with pytest.raises(error, match=message):
        ActionClips(list(texts)[-1].replace('__', '.'), layout=layout, data_root=folder(**texts))


def test_a_template_that_cannot_be_filled_in(folder):
    options = dict(data_root=folder(a__csv=KINETICS.format(0)), layout='kinetics')
    with pytest.raises(KeyError, match="record 0 has no column 'name' of path_template"):
        ActionClips('a.csv', path_template='{name}.mp4', **options)
    with pytest.raises(ValueError, match=r"path_template '\{label' cannot be filled in from .*a\.csv"):
        ActionClips('a.csv', path_template='{label', **options)


@pytest.mark.parametrize('line', ['a.avi', 'a.avi 3', 'a.avi 1 2'])
def test_malformed_lines_of_hmdb51(folder, line):
    root = folder('splits/wave_test_split1.txt')
    Path(root, 'splits/wave_test_split1.txt').write_text(f'b.avi 0\n{line}\n')
    with pytest.raises(ValueError, match=r'wave_test_split1\.txt, line 2 must be "file\.avi" and 0, 1 or 2, found .a\.avi'):
        ActionClips('splits', data_root=root, layout='hmdb51', split='train')


def test_missing_annotation(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no annotation file at .*list\.txt'):
        ActionClips('list.txt', data_root=str(tmp_path))
    with pytest.raises(FileNotFoundError, match='no annotation folder at .*splits'):
        ActionClips('splits', data_root=str(tmp_path), layout='hmdb51', split='train')


def test_class_folder_without_a_video(folder):
    root = folder('v/clap/notes.txt')
    with pytest.raises(ValueError, match='clap holds no video'):
        ActionClips(data_root=root, data_prefix=dict(video='v'))


@pytest.fixture
def half_broken(tmp_path):
    whole = write_video(tmp_path / '0.mp4', 8)
    for number in (1, 2, 3):
        shutil.copy(whole, tmp_path / f'{number}.mp4')
    (tmp_path / '2.mp4').write_bytes(whole.read_bytes()[:500])
    (tmp_path / 'list.txt').write_text(''.join(f'{number}.mp4 {number}\n' for number in range(4)))
    return dict(ann_file='list.txt', data_root=str(tmp_path), num_classes=4, pipeline=PIPELINE)


def test_a_broken_video_is_replaced_in_training(half_broken, log_lines):
    dataset = ActionClips(**half_broken, max_bad_share=0.5)
    assert [dataset[i]['label'] for i in (0, 1, 3)] == [0, 1, 3]
    assert dataset[2]['label'] in (0, 1, 3) and len(dataset[2]['imgs']) == 2
    assert dataset.guard.num_bad >= 2
    assert sum('2.mp4' in line and 'cannot open video' in line for line in log_lines) == 1


def test_a_broken_video_is_refused_in_a_test(half_broken):
    dataset = ActionClips(**half_broken, test_mode=True)
    with pytest.raises(BadSample, match=r'cannot open video .*2\.mp4'):
        dataset[2]


def test_too_many_broken_videos_stop_the_training(half_broken):
    dataset = ActionClips(**half_broken, max_bad_share=0.1)
    with pytest.raises(TooManyBadSamples):
        for _ in range(2):
            for index in range(4):
                dataset[index]


def test_real_videos_in_mmactions_world(test_data):
    config = dict(
        type='florence.ActionClips',
        data_root=str(test_data / 'video_fight'),
        pipeline=[
            dict(type='florence.OpenVideo'),
            dict(type='florence.SampleClips', clip_len=8, frame_interval=2),
            dict(type='florence.DecodeVideo'),
            dict(type='Resize', scale=(32, 32), keep_ratio=False),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs'),
        ],
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(config)
    assert len(dataset) == 44 and dataset.metainfo['classes'] == ('fight', 'noFight')
    sample = dataset[43]
    assert sample['inputs'].shape == (1, 3, 8, 32, 32) and sample['data_samples'].gt_label.tolist() == [1]


def test_real_records_with_a_split(test_data):
    options = dict(columns=('file_name', 'label'), classes=('airplane', 'bird', 'drone', 'helicopter'), val_share=0.25)
    parts = [
        ActionClips('videos.json', data_root=str(test_data / 'video_drone_ir'), split=s, **options) for s in ('train', 'val')
    ]
    names = [{name for name, _ in labels(part)} for part in parts]
    assert not names[0] & names[1] and len(names[0] | names[1]) == 48 and 4 <= len(names[1]) <= 20
    assert all(name.split('IR_')[1].startswith(options['classes'][label].upper()) for name, label in labels(parts[0]))


def test_suffixes_are_lower_case():
    assert all(suffix == suffix.lower() and suffix.startswith('.') for suffix in VIDEO_SUFFIXES)
