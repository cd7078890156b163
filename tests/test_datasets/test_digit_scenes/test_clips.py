"""Digit clips: determinism, disjoint scans, what moves, and that no single frame tells the action."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import ks_2samp

from florence.datasets.digit_scenes import DigitClipActions
from florence.datasets.digit_scenes.clips import ACTION_NAMES, ACTIONS, ClipRecipe, ClipSampler
from florence.datasets.digit_scenes.scene import UNSEEN_PAIRS
from florence.registry import TRANSFORMS

OPPOSITES = [('moves left', 'moves right'), ('moves up', 'moves down'), ('grows', 'shrinks'),
             ('turns clockwise', 'turns counter-clockwise'), ('appears', 'disappears')]  # fmt: skip
NUM_CLIPS = 4000


@pytest.fixture(scope='module')
def clips():
    return draw(NUM_CLIPS)


def draw(count, split='train', **recipe):
    sampler = ClipSampler(ClipRecipe(**recipe), split)
    return [sampler.sample(sampler.rng(index)) for index in range(count)]


def state(item):
    return (*item.center, np.log(item.side), item.angle)


def actor_states(clip):
    """State of the actor in each frame it is in, `(frames, 4)`."""
    looks = (clip.actor.digit, clip.actor.color, clip.actor.scan)
    shown = [item for frame in clip.frames for item in frame.objects if (item.digit, item.color, item.scan) == looks]
    return np.array([state(item) for item in shown])


def digest(sample):
    return hashlib.sha1(np.stack(sample['imgs']).tobytes()).hexdigest() + str(sample['label'])


def test_a_clip_is_the_same_in_another_process(repo_root):
    code = (
        'import hashlib, numpy as np\n'
        'from florence.datasets.digit_scenes import DigitClipActions\n'
        'sample = DigitClipActions(9, split="train")[5]\n'
        'print(hashlib.sha1(np.stack(sample["imgs"]).tobytes()).hexdigest() + str(sample["label"]))'
    )
    run = subprocess.run([sys.executable, '-c', code], cwd=repo_root, capture_output=True, text=True, check=True)
    assert run.stdout.split()[-1] == digest(DigitClipActions(9, split='train')[5])


def test_seed_split_and_index_change_the_clip():
    made = [DigitClipActions(3, split=split, seed=seed)[index] for split, seed, index in
            (('train', 0, 1), ('train', 1, 1), ('test', 0, 1), ('train', 0, 2))]  # fmt: skip
    assert len({digest(sample) for sample in made}) == 4


def test_train_and_test_show_disjoint_scans():
    from florence.datasets.digit_scenes.scans import digit_scans

    def shown(split):
        scans = digit_scans(split)
        items = [item for clip in draw(400, split) for frame in clip.frames for item in frame.objects]
        return {scans[item.digit][item.scan].tobytes() for item in items}

    train, test = shown('train'), shown('test')
    assert len(train) > 300 and len(test) > 150 and not train & test


def test_unseen_pairs_are_kept_apart():
    def pairs(which):
        return {(item.digit, item.color) for clip in draw(300, pairs=which) for frame in clip.frames for item in frame.objects}

    assert not pairs('seen') & UNSEEN_PAIRS
    assert pairs('unseen') <= UNSEEN_PAIRS


@pytest.mark.parametrize('num_frames', [2, 5, 16])
def test_only_what_the_action_names_changes_and_in_its_direction(num_frames):
    column = dict(x=0, y=1, log_side=2, angle=3)
    seen = set()
    for clip in draw(300, num_frames=num_frames, image_size=40):
        quantity, rises = ACTIONS[clip.action]
        seen.add(clip.action)
        states = actor_states(clip)
        steps = np.diff(states, axis=0)
        if quantity == 'presence':
            assert clip.bystander and (steps == 0).all() and 1 <= len(states) < num_frames
            counts = [len(frame.objects) for frame in clip.frames]
            assert counts == sorted(counts, reverse=not rises) and set(counts) == {1, 2}
        else:
            changes = steps[:, column[quantity]]
            assert (changes > 0).all() if rises else (changes < 0).all()
            assert np.allclose(changes, changes[0])
            assert (np.delete(steps, column[quantity], axis=1) == 0).all()
    assert seen == set(ACTION_NAMES)


def test_pixels_follow_the_direction():
    data = DigitClipActions(600, split='test', recipe=dict(num_frames=4, image_size=48))
    checked = set()
    for index in range(600):
        clip = data.sampler.sample(data.sampler.rng(index))
        if clip.bystander is not None or clip.action not in ('moves left', 'moves right', 'moves up', 'moves down', 'grows'):
            continue
        ink = np.array(data[index]['imgs']).astype(float)
        ink = np.abs(ink - np.median(ink, axis=(1, 2), keepdims=True)).sum(-1)  # (T, S, S)
        places = np.arange(48)
        down = (ink.sum(2) * places).sum(1) / ink.sum((1, 2))
        across = (ink.sum(1) * places).sum(1) / ink.sum((1, 2))
        found = {
            'moves left': across[0] - across[-1],
            'moves right': across[-1] - across[0],
            'moves up': down[0] - down[-1],
            'moves down': down[-1] - down[0],
            'grows': np.log(ink[-1].sum() / ink[0].sum()) * 10,
        }[clip.action]
        assert found > 4, (clip.action, found)
        checked.add(clip.action)
    assert len(checked) == 5


def test_clockwise_turns_the_picture_clockwise():
    clip = next(clip for clip in draw(200) if clip.action == 'turns clockwise')
    first, last = clip.frames[0], clip.frames[-1]
    assert last.objects[0].angle - first.objects[0].angle >= 50 or last.objects[-1].angle - first.objects[-1].angle >= 50
    # Positive angles take what points up to the right.
    import cv2

    from florence.datasets.digit_scenes import render
    from florence.datasets.digit_scenes.scene import DigitObject, DigitScene

    upright = DigitObject(1, 0, 'white', 'large', (24.0, 24.0), 40.0, 0.0)
    scenes = [DigitScene((DigitObject(**{**vars(upright), 'angle': angle}),), 'black', 48, 'train', 1.0) for angle in (0.0, 40.0)]
    straight, turned = (render.render(scene)[..., 0] for scene in scenes)
    wanted = cv2.warpAffine(straight, cv2.getRotationMatrix2D((23.5, 23.5), -40.0, 1.0), (48, 48), borderValue=8)  # clockwise
    other = cv2.warpAffine(straight, cv2.getRotationMatrix2D((23.5, 23.5), 40.0, 1.0), (48, 48), borderValue=8)
    assert np.corrcoef(turned.ravel(), wanted.ravel())[0, 1] > 0.95 > np.corrcoef(turned.ravel(), other.ravel())[0, 1] + 0.1


def one_frame_each(clips, action):
    """A frame of a random moment from each clip of an action."""
    rng = np.random.default_rng(0)
    return [clip.frames[rng.integers(len(clip.frames))] for clip in clips if clip.action == action]


def quantities(frames):
    """Samples of everything that a frame shows of places, sides and angles, and of the number of digits."""
    items = np.array([state(item) for frame in frames for item in frame.objects])
    return {'count': np.array([len(frame.objects) for frame in frames]), **dict(zip('xysa', items.T, strict=True))}


@pytest.mark.parametrize(('first', 'second'), OPPOSITES)
def test_frames_of_opposite_actions_have_the_same_distribution(clips, first, second):
    one, other = (quantities(one_frame_each(clips, action)) for action in (first, second))
    for name in one:
        assert ks_2samp(one[name], other[name]).pvalue > 1e-3, name


def test_frames_of_all_actions_have_the_same_distribution(clips):
    everything = quantities([frame for action in ACTION_NAMES for frame in one_frame_each(clips, action)])
    for action in ACTION_NAMES:
        own = quantities(one_frame_each(clips, action))
        for name in own:
            assert ks_2samp(own[name], everything[name]).statistic < 0.12, (action, name)


def test_the_statistic_sees_what_a_fixed_moment_tells(clips):
    starts = {name: [clip.frames[0] for clip in clips if clip.action == name] for name in ('moves left', 'grows')}
    first = {name: quantities(frames) for name, frames in starts.items()}
    assert ks_2samp(first['moves left']['x'], first['grows']['x']).pvalue < 1e-3


def test_pixels_of_one_frame_do_not_tell_but_all_frames_do():
    from sklearn.linear_model import LogisticRegression

    data = DigitClipActions(2000, split='train', recipe=dict(image_size=16, num_frames=4))
    rng = np.random.default_rng(0)
    single, ordered, labels = [], [], []
    for index in range(1600):
        sample = data[index]
        ink = np.stack(sample['imgs']).astype(np.float32).max(-1) / 255  # (T, S, S)
        single.append(ink[rng.integers(4)].ravel())
        marks = [[(frame.sum(axis) * np.arange(16)).sum() / frame.sum() for axis in (0, 1)] + [frame.sum() / 50] for frame in ink]
        ordered.append(np.diff(marks, axis=0).ravel())
        labels.append(sample['label'])

    def accuracy(features):
        model = LogisticRegression(C=0.01 if features is single else 1.0, max_iter=200).fit(features[:1200], labels[:1200])
        return model.score(features[1200:], labels[1200:])

    assert accuracy(single) < 0.17  # chance is 0.1
    assert accuracy(ordered) > 0.4


def test_samples_have_the_keys_of_decoded_videos():
    sample = DigitClipActions(4, split='test', recipe=dict(image_size=40, num_frames=6, frame_rate=12))[3]
    assert len(sample['imgs']) == 6 and sample['imgs'][0].shape == (40, 40, 3) and sample['imgs'][0].dtype == np.uint8
    assert sample['img_shape'] == sample['original_shape'] == (40, 40) and sample['modality'] == 'RGB'
    assert sample['frame_inds'].tolist() == [0, 1, 2, 3, 4, 5] and sample['avg_fps'] == 12
    assert (sample['total_frames'], sample['start_index'], sample['clip_len'], sample['num_clips']) == (6, 0, 6, 1)
    assert sample['sample_id'] == 'clips/test/0/3'


def test_labels_are_the_actions_and_all_occur():
    data = DigitClipActions(200, split='test')
    labels = [data[index]['label'] for index in range(200)]
    assert data.action_names == data.metainfo['classes'] == ACTION_NAMES and len(ACTION_NAMES) == 10
    assert labels == [ACTION_NAMES.index(data.sampler.sample(data.sampler.rng(index)).action) for index in range(200)]
    assert set(labels) == set(range(10))
    assert data[0]['classes'] == ACTION_NAMES
    with pytest.raises(IndexError, match='no number 200'):
        data[200]


def test_mmactions_transforms_follow():
    pipeline = [dict(type='mmaction.FormatShape', input_format='NCTHW'), dict(type='mmaction.PackActionInputs')]
    data = DigitClipActions(4, split='train', pipeline=pipeline)
    packed, plain = data[2], DigitClipActions(4, split='train')[2]
    assert packed['inputs'].shape == (1, 3, 8, 32, 32)
    assert np.array_equal(packed['inputs'][0].permute(1, 2, 3, 0).numpy(), np.stack(plain['imgs']))
    assert packed['data_samples'].gt_label.tolist() == [plain['label']]


def test_templates_name_every_digit():
    from florence.tasks.templates import TEMPLATE_SETS

    texts = [template.format('appears') for template in TEMPLATE_SETS[DigitClipActions.TEMPLATES]]
    assert len(texts) == 10 and texts[8] == 'an eight appears' and texts[0] == 'a zero appears'


def test_bad_recipes():
    with pytest.raises(ValueError, match='2 or more, got 1'):
        ClipRecipe(num_frames=1)
    with pytest.raises(ValueError, match='positive, got 0'):
        ClipRecipe(frame_rate=0)
    with pytest.raises(ValueError, match='pairs'):
        DigitClipActions(1, split='train', recipe=dict(pairs='none'))
    with pytest.raises(ValueError, match="'train' and 'test'"):
        DigitClipActions(1, split='val')


def test_frames_of_repeat_frame_are_one_frame_each_its_own_array():
    sample = DigitClipActions(4, split='train')[1]
    frames = list(sample['imgs'])
    middle = TRANSFORMS.build(dict(type='florence.RepeatFrame', position=0.5))(dict(sample, imgs=list(frames)))['imgs']
    assert len(middle) == 8 and all(np.array_equal(frame, frames[4]) for frame in middle)
    assert len({id(frame) for frame in middle}) == 8
    last = TRANSFORMS.build(dict(type='florence.RepeatFrame', position=1.0))(dict(sample, imgs=list(frames)))['imgs']
    assert np.array_equal(last[0], frames[7])


def test_repeat_frame_draws_a_frame_of_each_clip():
    imgs = [np.full((2, 2, 3), value, np.uint8) for value in range(12)]
    step = TRANSFORMS.build(dict(type='florence.RepeatFrame'))
    drawn = set()
    for _ in range(60):
        out = [int(frame[0, 0, 0]) for frame in step(dict(imgs=list(imgs), num_clips=3, clip_len=4))['imgs']]
        assert all(len(set(out[clip * 4 : clip * 4 + 4])) == 1 and out[clip * 4] // 4 == clip for clip in range(3))
        drawn |= set(out)
    assert drawn == set(range(12))
    with pytest.raises(ValueError, match='3 clips of 5 frames, got 12'):
        step(dict(imgs=imgs, num_clips=3, clip_len=5))
    with pytest.raises(ValueError, match='0 .. 1'):
        TRANSFORMS.build(dict(type='florence.RepeatFrame', position=1.5))
