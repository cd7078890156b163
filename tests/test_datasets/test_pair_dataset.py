"""Data sets with an index under faults: replaced and counted in training, refused in evaluation."""

import copy

import pytest
from mmengine.runner import Runner

from florence.datasets import BadSample, RecordPairs, TooManyBadSamples
from florence.datasets.bad_samples import replacement_index

FAULTS = {3: 'truncated', 8: 'missing', 11: 'empty'}


def build(folder, pipeline, **options) -> RecordPairs:
    return RecordPairs('pairs.json', data_root=str(folder), pipeline=pipeline, **options)


def names(batches) -> list[str]:
    return [sample.sample_id for batch in batches for sample in batch['data_samples']]


def loader(dataset, num_workers: int):
    return Runner.build_dataloader(
        dict(
            dataset=dataset,
            batch_size=4,
            num_workers=num_workers,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
        ),
        seed=0,
    )


def failures(index: int, length: int) -> list[int]:
    """Broken samples that are met on the way from `index` to a usable sample."""
    met = []
    while index in FAULTS:
        met.append(index)
        index = replacement_index(index, len(met) - 1, length)
    return met


def expected_name(index: int, length: int) -> str:
    met = failures(index, length)
    return f'{replacement_index(met[-1], len(met) - 1, length) if met else index}.jpg'


@pytest.mark.parametrize('num_workers', [0, 2])
def test_bad_samples_are_replaced_the_same_way_by_any_number_of_workers(make_pairs, train_pipeline, num_workers):
    batches = loader(build(make_pairs(30, FAULTS), train_pipeline, max_bad_share=0.5), num_workers)
    assert names(batches) == [expected_name(index, 30) for index in range(30)]
    guard = batches.dataset.guard
    num_bad = sum(len(failures(index, 30)) for index in range(30))
    assert (guard.num_bad, guard.num_reads) == (num_bad, 30 + num_bad), 'workers must count into the parent'


@pytest.mark.parametrize('num_workers', [0, 1])
def test_too_many_bad_samples_stop_the_run(make_pairs, train_pipeline, num_workers):
    """One worker, not two: torch waits five seconds for each worker of a loader that ended in an error."""
    dataset = build(make_pairs(30, FAULTS), train_pipeline)
    with pytest.raises(TooManyBadSamples, match='max_bad_share'):
        names(loader(dataset, num_workers))


def test_one_bad_in_two_hundred_does_not_stop_the_run(make_pairs, train_pipeline, log_lines):
    dataset = build(make_pairs(200, {150: 'truncated'}), train_pipeline)
    assert len(names(loader(dataset, 0))) == 200
    named = [line for line in log_lines if line.startswith('Bad sample')]
    assert len(named) == 1 and '150.jpg' in named[0]


@pytest.mark.parametrize('index', FAULTS)
def test_evaluation_refuses_a_bad_sample_by_name(make_pairs, train_pipeline, index):
    dataset = build(make_pairs(30, FAULTS), train_pipeline, test_mode=True)
    assert dataset[0]['data_samples'].text == 'picture number 0'
    with pytest.raises(BadSample, match=rf'\b{index}\.jpg'):
        dataset[index]
    assert dataset.guard.num_bad == 0


def test_wrong_pipeline_is_not_taken_for_a_bad_sample(make_pairs):
    dataset = build(make_pairs(5), [dict(type='florence.LoadImage'), dict(type='florence.ExpandShortText')])
    with pytest.raises(ValueError, match='must stand after HashTextLabel'):
        dataset[0]
    assert dataset.guard.num_bad == 0


def test_missing_annotation_file_and_image_folder(make_pairs, tmp_path):
    folder = make_pairs(2)
    with pytest.raises(FileNotFoundError, match=r'no annotation file at .*gone\.json'):
        RecordPairs('gone.json', data_root=str(folder))
    with pytest.raises(FileNotFoundError, match='no image folder at .*photos'):
        RecordPairs('pairs.json', data_root=str(folder), data_prefix=dict(img_path='photos'))


def test_empty_annotation_is_refused(tmp_path):
    (tmp_path / 'pairs.json').write_text('[]')
    with pytest.raises(ValueError, match='no sample found'):
        RecordPairs('pairs.json', data_root=str(tmp_path))


def test_short_texts_are_left_out_and_counted(make_pairs, train_pipeline, log_lines):
    folder = make_pairs(6, {2: 'empty'})
    text = (folder / 'pairs.json').read_text().replace('picture number 4', 'dog').replace('picture number 5', 'red dog')
    (folder / 'pairs.json').write_text(text)
    assert len(build(folder, train_pipeline, drop_short_texts=1)) == 5
    dataset = build(folder, train_pipeline, drop_short_texts=2)
    assert [dataset.get_data_info(i)['sample_id'] for i in range(4)] == ['0.jpg', '1.jpg', '2.jpg', '3.jpg']
    assert 'left out 2 of 6 texts with at most 2 words, and with them 2 of 6 samples' in log_lines[-1]


def test_captions_need_no_image(make_pairs):
    dataset = build(make_pairs(4, {0: 'missing', 1: 'truncated'}), [])
    assert list(dataset.captions()) == [f'picture number {index}' for index in range(4)]


def test_lazy_set_reads_at_first_use(make_pairs, train_pipeline):
    folder = make_pairs(4)
    dataset = build(folder, train_pipeline, lazy_init=True)
    assert not dataset._fully_initialized
    assert dataset[1]['data_samples'].sample_id == '1.jpg' and len(dataset) == 4


def test_subset_and_copy_keep_working(make_pairs, train_pipeline):
    dataset = build(make_pairs(10), train_pipeline, indices=4)
    assert len(dataset) == 4
    assert copy.deepcopy(dataset)[3]['data_samples'].sample_id == '3.jpg'
    assert dataset.get_subset(2)[1]['data_samples'].sample_id == '1.jpg'
