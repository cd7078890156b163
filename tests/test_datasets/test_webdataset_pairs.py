"""Streams: every sample exactly once per pass over all workers and ranks, repeatable order, faults."""

import collections
import re
from functools import partial
from itertools import islice

import pytest
import tar_shards
import torch
from mmengine.runner import Runner
from tar_shards import PER_SHARD, all_keys, keys_of

from florence.datasets import TooManyBadSamples, WebDatasetPairs, webdataset_pairs
from florence.datasets.shard_stream import deal_shards, expand_shards
from florence.loading.stream_share import StreamShare
from florence.tasks.text_hash import text_label


@pytest.fixture
def write_shards(tmp_path):
    return partial(tar_shards.write_shards, tmp_path)


def one_pass(*args, **options) -> WebDatasetPairs:
    return WebDatasetPairs(*args, repeat=False, **options)


def read(loader) -> list[str]:
    return [key for batch in loader for key in keys_of([{'data_samples': one} for one in batch['data_samples']])]


@pytest.mark.parametrize(('num_workers', 'persistent'), [(0, False), (1, False), (2, False), (2, True)])
def test_every_sample_exactly_once_per_pass_through_mmengines_loader(write_shards, train_pipeline, num_workers, persistent):
    loader = Runner.build_dataloader(
        dict(
            dataset=dict(
                type='florence.WebDatasetPairs',
                shards=write_shards(5),
                pipeline=train_pipeline,
                shuffle_size=8,
                repeat=False,
            ),
            sampler=None,
            batch_size=4,
            num_workers=num_workers,
            persistent_workers=persistent,
            collate_fn=dict(type='pseudo_collate'),
        ),
        seed=0,
    )
    passes = [read(loader) for _ in range(3)]
    for order in passes:
        assert sorted(order) == all_keys(5)
    assert passes[0] != passes[1] != passes[2], 'each pass has an order of its own'


def test_order_is_decided_by_seed_and_pass(write_shards, train_pipeline):
    shards = write_shards(4)

    def order(seed: int | None, epoch: int = 0) -> list[str]:
        dataset = one_pass(shards, pipeline=train_pipeline, seed=seed)
        dataset.set_epoch(epoch)
        return keys_of(dataset)

    assert order(1) == order(1) != order(2)
    assert order(None) == all_keys(4)
    stream = one_pass(shards, pipeline=train_pipeline, seed=1)
    assert [keys_of(stream), keys_of(stream)] == [order(1, 0), order(1, 1)]
    assert order(1, 0) != order(1, 1)


def test_endless_stream_goes_on_pass_after_pass(write_shards, train_pipeline):
    stream = WebDatasetPairs(write_shards(3), pipeline=train_pipeline, shuffle_size=4)
    found = keys_of(islice(stream, 54))
    passes = [found[:18], found[18:36], found[36:]]
    assert [sorted(order) for order in passes] == [all_keys(3)] * 3 and passes[0] != passes[1] != passes[2]
    assert keys_of(islice(stream, 18)) == passes[0], 'a new iteration begins anew'


def test_endless_stream_needs_a_shard_for_each_worker(write_shards, train_pipeline):
    stream = WebDatasetPairs(write_shards(5), pipeline=train_pipeline)
    with pytest.raises(ValueError, match='5 shards cannot feed 2 ranks with 3 loader workers each'):
        next(stream.read(StreamShare(0, 2, 0, 3), stream.new_position()))


def test_endless_stream_without_usable_sample_ends_in_an_error(write_shards, train_pipeline):
    stream = WebDatasetPairs(write_shards(2), pipeline=train_pipeline, drop_short_texts=2)
    with pytest.raises(ValueError, match='no usable sample in a whole pass'):
        next(iter(stream))


def test_ranks_share_the_set(write_shards, train_pipeline, monkeypatch):
    shards, found = write_shards(5), []
    for rank in range(2):
        monkeypatch.setattr(webdataset_pairs, 'get_dist_info', lambda rank=rank: (rank, 2))
        found.append(keys_of(one_pass(shards, pipeline=train_pipeline)))
    assert sorted(found[0] + found[1]) == all_keys(5)
    monkeypatch.setattr(webdataset_pairs, 'get_dist_info', lambda: (0, 6))
    with pytest.raises(ValueError, match='5 shards cannot feed 6 ranks'):
        next(iter(one_pass(shards, pipeline=train_pipeline)))


def test_dealing_is_a_partition_for_any_number_of_ranks_and_workers():
    shards = [str(i) for i in range(23)]
    for world_size, num_workers in [(1, 1), (2, 3), (5, 4)]:
        dealt = [
            shard
            for rank in range(world_size)
            for worker in range(num_workers)
            for shard in deal_shards(shards, StreamShare(rank, world_size, worker, num_workers), seed=3, epoch=2)
        ]
        assert sorted(dealt) == sorted(shards)


def test_sample_holds_text_label_and_pixels(write_shards, train_pipeline):
    sample = next(iter(one_pass(write_shards(1), pipeline=train_pipeline, seed=None)))
    assert sample['inputs'].shape == (3, 8, 8) and sample['inputs'].dtype == torch.uint8
    assert sample['data_samples'].text == 'picture 00_00'
    assert sample['data_samples'].label == text_label('picture 00_00')
    assert sample['data_samples'].sample_id.endswith('00.tar/00_00')


def test_several_captions_from_json(write_shards, train_pipeline):
    stream = one_pass(write_shards(2), pipeline=train_pipeline, text_from='json', seed=None)
    texts = collections.Counter(sample['data_samples'].text.split()[0] for _ in range(10) for sample in stream)
    assert texts['first'] + texts['second'] == 120 and min(texts.values()) > 30


def test_captions_without_decoding(write_shards):
    stream = one_pass(write_shards(2, {'00_01.jpg': b'broken'}))
    assert list(stream.captions()) == [f'picture {key}' for key in all_keys(2)]


def test_short_texts_are_left_out_and_counted(write_shards, train_pipeline, log_lines):
    shards = write_shards(2, {'00_01.txt': b'red dog', '01_03.txt': b'dog'})
    stream = one_pass(shards, pipeline=train_pipeline, seed=None, drop_short_texts=2)
    assert len(keys_of(stream)) == 0, 'every text here has two words'
    stream = one_pass(shards, pipeline=train_pipeline, seed=None, drop_short_texts=1)
    assert keys_of(stream) == [key for key in all_keys(2) if key != '01_03']
    assert 'left out 1 samples' in log_lines[-1]
    assert '01_03' not in ' '.join(stream.captions())


FAULTS = {'00_01.jpg': b'broken', '00_03.txt': b' ', '01_02.jpg': None, '01_04.txt': None}


@pytest.mark.parametrize('num_workers', [0, 2])
def test_bad_samples_are_skipped_named_and_counted(write_shards, train_pipeline, num_workers):
    stream = one_pass(write_shards(2, FAULTS), pipeline=train_pipeline, max_bad_share=0.5)
    loader = torch.utils.data.DataLoader(stream, batch_size=None, num_workers=num_workers)
    assert sorted(keys_of(loader)) == sorted(set(all_keys(2)) - {name.split('.')[0] for name in FAULTS})
    assert (stream.guard.num_bad, stream.guard.num_reads) == (4, 12)


def test_reasons_name_the_sample(write_shards, train_pipeline, log_lines):
    list(one_pass(write_shards(2, FAULTS), pipeline=train_pipeline, max_bad_share=0.5, seed=None))
    named = '\n'.join(line for line in log_lines if line.startswith('Bad sample'))
    for expected in (
        'cannot decode image .*00_01', '00_03 has an empty caption', 
        '01_02 has no image, its members are txt, json',
        r'01_04 has no \.txt member, its members are jpg, json',
    ):  # fmt: skip
        assert re.search(expected, named), named


def test_too_many_bad_samples_stop_the_run(write_shards, train_pipeline):
    shards = write_shards(2, FAULTS)
    with pytest.raises(TooManyBadSamples, match='4 of 12'):
        list(one_pass(shards, pipeline=train_pipeline))
    stream = one_pass(shards, pipeline=train_pipeline, min_samples_before_stop=2, max_bad_share=0.3, seed=None)
    with pytest.raises(TooManyBadSamples, match='1 of 2'):
        list(stream)


@pytest.mark.parametrize('keep', [0.2, 0.3, 0.4, 0.5, 0.55, 0.6])
def test_truncated_shard_loses_only_its_own_samples(write_shards, train_pipeline, log_lines, tmp_path, keep):
    shards = write_shards(3)
    data = (tmp_path / '01.tar').read_bytes()
    (tmp_path / '01.tar').write_bytes(data[: int(keep * len(data))])
    found = keys_of(one_pass(shards, pipeline=train_pipeline, max_bad_share=0.5, seed=None))
    assert [key for key in found if not key.startswith('01')] == [key for key in all_keys(3) if not key.startswith('01')]
    from_broken = [key for key in found if key.startswith('01')]
    assert from_broken == all_keys(3)[PER_SHARD : PER_SHARD + len(from_broken)] and 0 < len(from_broken) < PER_SHARD
    assert any('01.tar is broken' in line for line in log_lines)


def test_broken_shard_can_stop_the_run(write_shards, train_pipeline, tmp_path):
    shards = write_shards(2)
    (tmp_path / '00.tar').write_bytes(b'this is no tar file' * 100)
    with pytest.raises(TooManyBadSamples):
        list(one_pass(shards, pipeline=train_pipeline, min_samples_before_stop=1, seed=None))


def test_length_only_where_the_number_of_samples_is_known(write_shards):
    shards = write_shards(1)
    with pytest.raises(TypeError, match='num_samples'):
        len(one_pass(shards))
    assert len(one_pass(shards, num_samples=6)) == 6
    with pytest.raises(ValueError, match='repeat=False beside num_samples'):
        WebDatasetPairs(shards, num_samples=6)


def test_shard_lists(write_shards, tmp_path):
    pattern = write_shards(3)
    paths = [str(tmp_path / f'{i:02d}.tar') for i in range(3)]
    assert expand_shards(pattern) == expand_shards(paths) == paths
    with pytest.raises(FileNotFoundError, match=r'1 of 4 shards are missing, the first is .*03\.tar'):
        expand_shards(str(tmp_path / '{00..03}.tar'))
    with pytest.raises(ValueError, match='named twice'):
        expand_shards([*paths, paths[0]])
    with pytest.raises(ValueError, match='no shard given'):
        expand_shards([])
    assert expand_shards('https://host/{0..1}.tar') == ['https://host/0.tar', 'https://host/1.tar']


def test_unknown_text_source_is_refused(write_shards):
    with pytest.raises(ValueError, match='text_from'):
        one_pass(write_shards(1), text_from='csv')
