"""Captions of videos: every layout, single and several captions, faults."""

import json

import pytest
from video_files import write_video

from florence.datasets import BadSample, VideoCaptions


@pytest.fixture
def root(tmp_path):
    for name in ('video1.mp4', 'video2.mp4', 'abc_1_5.avi', 'def_2_9.avi', 'x@1.mov', 'y@2.m4v', 'x@1.mp4', 'y@2.mp4'):
        (tmp_path / 'v').mkdir(exist_ok=True)
        (tmp_path / 'v' / name).write_bytes(b'')
    return tmp_path


def make(root, text, name, **options):
    (root / name).write_text(text if isinstance(text, str) else json.dumps(text))
    return VideoCaptions(name, **{'data_root': str(root), 'data_prefix': dict(video='v'), 'test_mode': True, **options})


def captions(dataset):
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    return {info['filename'].rsplit('/', 1)[1]: info['captions'] for info in infos}


def test_json(root):
    dataset = make(root, {'video1.mp4': ['a dog runs', 'a dog'], 'video2.mp4': 'a cat sleeps'}, 'c.json')
    assert captions(dataset) == {'video1.mp4': ('a dog runs', 'a dog'), 'video2.mp4': ('a cat sleeps',)}
    info = dataset.get_data_info(0)
    assert info['caption_ids'] == ('video1.mp4#0', 'video1.mp4#1')
    assert (info['sample_id'], info['start_index'], info['modality']) == ('video1.mp4', 0, 'RGB')
    assert captions(make(root, {'video1.mp4': ['a', 'b', 'c']}, 'c.json', max_captions=2)) == {'video1.mp4': ('a', 'b')}


def test_an_only_caption_is_the_text_in_training(root):
    dataset = make(root, {'video1.mp4': ['a dog'], 'video2.mp4': ['a', 'b']}, 'c.json', test_mode=False)
    assert dataset.get_data_info(0)['text'] == 'a dog' and dataset.get_data_info(1)['captions'] == ('a', 'b')
    assert list(dataset.captions()) == ['a dog', 'a', 'b']


def test_msrvtt_test_set(root):
    table = 'key,vid_key,video_id,sentence\nret0,msr9770,video2,a person is connecting something to system\n'
    table += 'ret1,msr9771,video1,"a little girl does gymnastics, twice"\n'
    assert captions(make(root, table, 't.csv', layout='msrvtt')) == {
        'video2.mp4': ('a person is connecting something to system',),
        'video1.mp4': ('a little girl does gymnastics, twice',),
    }


def msrvtt(*sentences, more_videos=()):
    return dict(
        videos=[dict(video_id='video1', split='train'), dict(video_id='video2', split='validate'), *more_videos],
        sentences=[dict(video_id=video, caption=text) for video, text in sentences],
    )


def test_msrvtt_training_set(root):
    sentences = (('video1', 'a'), ('video2', 'b'), ('video1', 'c'))
    content = msrvtt(*sentences)
    assert captions(make(root, content, 'd.json', layout='msrvtt')) == {'video1.mp4': ('a', 'c'), 'video2.mp4': ('b',)}
    assert captions(make(root, content, 'd.json', layout='msrvtt', split='validate')) == {'video2.mp4': ('b',)}
    (root / 'nine_k.csv').write_text('video_id\nvideo2\n')
    assert captions(make(root, content, 'd.json', layout='msrvtt', video_list='nine_k.csv')) == {'video2.mp4': ('b',)}
    with pytest.raises(KeyError, match="no video of split 'dev'; found train, validate"):
        make(root, content, 'd.json', layout='msrvtt', split='dev')
    (root / 'nine_k.csv').write_text('video_id\nvideo2\nvideo7\n')
    with pytest.raises(KeyError, match=r'no captions for 1 of 2 videos, e\.g\. video7'):
        make(root, content, 'd.json', layout='msrvtt', video_list='nine_k.csv')
    with pytest.raises(FileNotFoundError, match='no list of videos at'):
        make(root, content, 'd.json', layout='msrvtt', video_list='ten_k.csv')
    (root / 'twice.txt').write_text('video2\nvideo1\nvideo2\n')
    with pytest.raises(ValueError, match=r'twice\.txt names 1 of its videos more than once, e\.g\. video2'):
        make(root, content, 'd.json', layout='msrvtt', video_list='twice.txt')


def test_msvd(root):
    text = '# the corpus\n\nabc_1_5 a man cooks\ndef_2_9 a cat eats\nabc_1_5 someone is cooking\n'
    assert captions(make(root, text, 'AllVideoDescriptions.txt', layout='msvd')) == {
        'abc_1_5.avi': ('a man cooks', 'someone is cooking'),
        'def_2_9.avi': ('a cat eats',),
    }
    (root / 'test_list.txt').write_text('def_2_9\n')
    assert len(make(root, text, 'AllVideoDescriptions.txt', layout='msvd', video_list='test_list.txt')) == 1
    with pytest.raises(ValueError, match='line 1 must be "video caption"'):
        make(root, 'abc_1_5\n', 'AllVideoDescriptions.txt', layout='msvd')


def test_didemo_joins_the_sentences_of_a_video(root):
    parts = (('x@1.mov', 'A dog runs. '), ('y@2.m4v', 'a cat'), ('x@1.mov', 'It stops.'))
    records = [dict(video=video, description=text) for video, text in parts]
    wanted = ('A dog runs. It stops.',)
    assert captions(make(root, records, 't.json', layout='didemo')) == {'x@1.mov': wanted, 'y@2.m4v': ('a cat',)}
    assert captions(make(root, records, 't.json', layout='didemo', ending='.mp4')) == {'x@1.mp4': wanted, 'y@2.mp4': ('a cat',)}


@pytest.mark.parametrize(
    ('text', 'options', 'error', 'message'),
    [
        ('[1]', {}, ValueError, 'must hold one object'),
        ('{"a"', {}, ValueError, 'not valid JSON'),
        ('{}', {}, ValueError, 'no sample found'),
        ('{"gone.mp4": ["x"]}', {}, FileNotFoundError, r'1 of 1 videos are missing: .*gone\.mp4'),
        ('{"a": []}', {}, ValueError, r'no caption for 1 of 1 videos, e\.g\. a'),
        ('{"a": ["x", 3]}', {}, ValueError, 'the caption 3 of video a, which is no text'),
        ('{"a": ["x"]}', dict(max_captions=0), ValueError, 'max_captions must be 1 or more, or None = all, not 0'),
        ('{}', dict(layout='msrvtt'), KeyError, "no field 'videos'"),
        (msrvtt(('video1', 'a')), dict(layout='msrvtt'), ValueError, r'no caption for 1 of 2 videos, e\.g\. video2'),
        (msrvtt(more_videos=[dict(video_id=7)]), dict(layout='msrvtt', split='train'), KeyError, "video 2 has no field 'split'"),
        ('{"videos": [], "sentences": [{}]}', dict(layout='msrvtt'), KeyError, "sentence 0 has no field 'video_id'"),
        ('[{"video": "a"}]', dict(layout='didemo'), KeyError, "record 0 has no field 'description', found video"),
        ('[{"video": "a", "description": 3}]', dict(layout='didemo'), ValueError, 'record 0 has the description 3'),
        ('{}', dict(layout='lsmdc'), ValueError, "not 'lsmdc'"),
        ('{}', dict(split='train'), ValueError, "split belongs to MSR-VTT's JSON file"),
        ('{}', dict(data_prefix=dict(video='w')), FileNotFoundError, 'no video folder at'),
    ],
)
def test_faults_of_an_annotation_are_named(root, text, options, error, message):
    with pytest.raises(error, match=message):
        make(root, text, 'c.json', **options)


def test_the_folder_is_looked_for_once(root):
    dataset = make(root, {'video1.mp4': ['a dog']}, 'c.json')
    (root / 'v').rename(root / 'moved')
    assert dataset[0]['sample_id'] == 'video1.mp4'


def test_msrvtt_table_without_its_columns(root):
    with pytest.raises(KeyError, match="no column 'sentence', found key, video_id"):
        make(root, 'key,video_id\nret0,video1\n', 't.csv', layout='msrvtt')


def test_samples_and_empty_captions(root):
    write_video(root / 'v' / 'video1.mp4', 6)
    pipeline = [
        dict(type='florence.OpenVideo'),
        dict(type='florence.SampleClips', clip_len=3, mode='uniform'),
        dict(type='florence.DecodeVideo'),
        dict(type='florence.PickCaption'),
    ]
    content = {'video1.mp4': ['a dog', 'a cat'], 'video2.mp4': [' ']}
    dataset = make(root, content, 'c.json', test_mode=False, pipeline=pipeline, max_bad_share=0.9)
    assert dataset[0]['text'] in content['video1.mp4'] and len(dataset[0]['imgs']) == 3
    assert dataset[1]['sample_id'] == 'video1.mp4'
    with pytest.raises(BadSample, match=r'video2\.mp4 has an empty caption'):
        make(root, content, 'c.json', pipeline=pipeline)[1]
