"""Streams: the batches after a resume are those of the run that was not interrupted, and nothing consumed is decoded again."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from resume_helpers import assert_resumes_exactly, plain, run
from tar_shards import write_shards

from florence.datasets import StreamMixture, WebDatasetPairs
from florence.datasets import webdataset_pairs as module
from florence.loading import DataPosition, make_resumable

FAULTS = {'00_01.jpg': b'broken', '02_03.txt': b' ', '03_05.jpg': None}


class Blur:
    """Changes pixels at random and notes in a file, for all workers, which sample was decoded."""

    def __init__(self, log: Path | None = None) -> None:
        self.log = log

    def __call__(self, results: dict) -> dict:
        if self.log is not None:
            with open(self.log, 'a') as file:
                file.write(results['sample_id'].rsplit('/', 1)[1] + '\n')
        results['img'] = results['img'] ^ np.random.randint(0, 256, results['img'].shape, dtype=np.uint8)
        return results


def stream(shards: str, log: Path | None = None, **options) -> WebDatasetPairs:
    pipeline = [dict(type=f'florence.{name}') for name in ('LoadImage', 'HashTextLabel', 'PackImageText')]
    pipeline.insert(1, Blur(log))
    return WebDatasetPairs(shards, pipeline=pipeline, **dict(shuffle_size=7, max_bad_share=0.5) | options)


def loader_of(dataset, num_workers: int, batch_size: int = 4, seed: int = 5, **ranks):
    return make_resumable(raw_loader(dataset, num_workers, batch_size), seed, **ranks)


def raw_loader(dataset, num_workers: int, batch_size: int = 4):
    return Runner.build_dataloader(
        dict(
            dataset=dataset, sampler=None, batch_size=batch_size, num_workers=num_workers,
            persistent_workers=num_workers > 0, collate_fn=dict(type='pseudo_collate'),
        ),
        seed=0,
    )  # fmt: skip


@pytest.mark.parametrize(('num_workers', 'stop', 'more'), [(0, 3, 20), (0, 9, 9), (0, 20, 9), (1, 8, 8), (3, 7, 11), (3, 12, 7)])
@pytest.mark.filterwarnings('ignore:This DataLoader will create')
def test_resume_is_exact_over_passes_with_bad_samples(tmp_path, num_workers, stop, more):
    """A pass of one worker holds 33 usable samples of 36; 7 lie in the buffer."""
    shards = write_shards(tmp_path, 6, FAULTS)
    assert_resumes_exactly(lambda n: loader_of(stream(shards), n), stop=stop, more=more, num_workers=num_workers)


def test_resume_at_every_batch_about_the_end_of_a_pass(tmp_path):
    shards = write_shards(tmp_path, 4, FAULTS)
    for options in (dict(), dict(shuffle_size=0), dict(shuffle_size=100), dict(seed=None), dict(drop_short_texts=1)):
        loaders = [loader_of(stream(shards, **options), 0, batch_size=3) for _ in range(3)]
        whole, _ = run(loaders[0], 13)
        for stop in range(3, 12):
            _, state = run(loaders[1], stop)
            assert run(loaders[2], 2, state)[0] == whole[stop : stop + 2], (options, stop)


def test_resume_of_a_resumed_run(tmp_path):
    shards = write_shards(tmp_path, 6, FAULTS)
    whole, _ = run(loader_of(stream(shards), 2), 18)
    state = None
    for start in range(0, 18, 3):
        found, state = run(loader_of(stream(shards), 2), 3, state)
        assert found == whole[start : start + 3]


def test_two_ranks_resume(tmp_path):
    shards = write_shards(tmp_path, 5)
    ranks = [dict(rank=rank, world_size=2) for rank in range(2)]
    states = []
    for share in ranks:
        assert_resumes_exactly(lambda n, share=share: loader_of(stream(shards), n, **share), stop=7, more=6, num_workers=0)
        states.append(run(loader_of(stream(shards), 0, **share), 2)[1])
    with pytest.raises(ValueError, match='rank = 1, this run has 0: give each rank its own state'):
        run(loader_of(stream(shards), 0, **ranks[0]), 1, states[1])


@pytest.mark.parametrize('num_workers', [0, 2])
def test_nothing_consumed_is_decoded_again(tmp_path, num_workers):
    shards = write_shards(tmp_path / 'shards', 12)
    consumed, state = run(loader_of(stream(shards, shuffle_size=5), num_workers), 6)
    keys = {sample['id'].rsplit('/', 1)[1] for batch in consumed for sample in batch[4:]}
    run(loader_of(stream(shards, tmp_path / 'log', shuffle_size=5), num_workers), 4, state)
    decoded = (tmp_path / 'log').read_text().split()
    assert len(keys) == 24 and len(decoded) >= 16 and len(set(decoded)) == len(decoded)
    assert not keys & set(decoded), 'all are of the first pass, in which no sample comes twice'


def test_shards_without_a_needed_sample_are_not_opened(tmp_path, monkeypatch):
    shards = write_shards(tmp_path, 20)
    _, state = run(loader_of(stream(shards, shuffle_size=2), 0), 25)
    opened, read_shard = [], module.read_shard
    monkeypatch.setattr(module, 'read_shard', lambda path, on_error: opened.append(path) or read_shard(path, on_error))
    run(loader_of(stream(shards, shuffle_size=2), 0), 1, state)
    assert 1 <= len(opened) <= 4, '100 samples of 120 were drawn; two in the buffer and the next four are needed'


def test_state_holds_consumed_batches_only_and_survives_json(tmp_path):
    shards = write_shards(tmp_path, 6)
    loader = loader_of(stream(shards), 2)
    position = DataPosition(loader)
    batches = iter(loader)
    for _ in range(3):
        position.observe(next(batches))
    state = position.state_dict()
    assert state['batches'] == 3 and [one['draws'] for one in state['streams']] == [8, 4]
    assert json.loads(json.dumps(state)) == state


def test_batches_reach_the_model_as_ever(tmp_path):
    raw = raw_loader(stream(write_shards(tmp_path, 3)), 0)
    before, state_before = next(iter(raw)), torch.get_rng_state()
    batch = next(iter(make_resumable(raw, 0)))
    assert set(batch) == set(before) == {'inputs', 'data_samples'} and len(batch['inputs']) == 4
    assert [one.sample_id for one in batch['data_samples']] == [one.sample_id for one in before['data_samples']]
    assert torch.equal(torch.get_rng_state(), state_before)


def test_augmentation_changes_from_pass_to_pass(tmp_path):
    shards = write_shards(tmp_path, 1)
    batches, _ = run(loader_of(stream(shards, shuffle_size=0), 0, batch_size=6), 2)
    assert [sample['id'] for sample in batches[0][6:]] == [sample['id'] for sample in batches[1][6:]]
    assert all(one != other for one, other in zip(batches[0][:6], batches[1][:6]))


def test_other_data_are_refused(tmp_path):
    shards, six = write_shards(tmp_path / 'four', 4), write_shards(tmp_path / 'six', 6)
    _, state = run(loader_of(stream(shards), 0), 9)
    for loader, message in (
        (loader_of(stream(shards), 2), 'num_streams = 1, this run has 2: set num_workers'),
        (loader_of(stream(shards), 0, world_size=2), 'world_size = 1, this run has 2'),
        (loader_of(stream(six), 0), 'other shards, another seed or another shuffle_size'),
        (loader_of(stream(shards, shuffle_size=8), 0), 'other shards, another seed or another shuffle_size'),
    ):
        with pytest.raises(ValueError, match=message):
            run(loader, 1, state)
    moved = Path(shards).parent.rename(tmp_path / 'moved') / Path(shards).name
    expected, _ = run(loader_of(stream(str(moved)), 0), 10)
    assert [sample['label'] for sample in run(loader_of(stream(str(moved)), 0), 1, state)[0][0][4:]] == [
        sample['label'] for sample in expected[9][4:]
    ], 'a folder may move'


def test_the_seed_of_the_first_run_decides(tmp_path):
    shards = write_shards(tmp_path, 4)
    whole, _ = run(loader_of(stream(shards), 0), 6)
    _, state = run(loader_of(stream(shards), 0), 4)
    assert run(loader_of(stream(shards), 0, seed=9), 1)[0] != whole[:1]
    assert run(loader_of(stream(shards), 0, seed=9), 2, state)[0] == whole[4:]


def test_a_shard_that_shrank_is_named(tmp_path):
    shards = write_shards(tmp_path, 1)
    _, state = run(loader_of(stream(shards, shuffle_size=0), 0), 1)
    os.truncate(tmp_path / '00.tar', 4096)
    with pytest.raises(ValueError, match=r'shard .*00\.tar holds fewer samples now'):
        run(loader_of(stream(shards, shuffle_size=0), 0), 1, state)


def test_a_broken_shard_counts_for_what_it_gave(tmp_path):
    shards = write_shards(tmp_path, 4)
    os.truncate(tmp_path / '02.tar', 12_000)
    assert_resumes_exactly(lambda n: loader_of(stream(shards), n), stop=5, more=8, num_workers=0)


def mixture(tmp_path: Path, **options) -> StreamMixture:
    sources = [stream(write_shards(tmp_path / name, count, FAULTS)) for name, count in (('a', 6), ('b', 4))]
    return StreamMixture(sources, **dict(weights=[3, 1]) | options)


@pytest.mark.parametrize('num_workers', [0, 3])
@pytest.mark.filterwarnings('ignore:This DataLoader will create')
def test_a_mixture_resumes_exactly(tmp_path, num_workers):
    assert_resumes_exactly(lambda n: loader_of(mixture(tmp_path), n), stop=11, more=10, num_workers=num_workers)


def test_a_mixture_holds_its_proportions(tmp_path):
    dataset = mixture(tmp_path)
    samples = iter(dataset)
    sources = [Path(next(samples)['data_samples'].sample_id).parts[-3] for _ in range(1024)]
    assert sources.count('a') == 768 and 'b' in sources[:30]
    assert all(source.guard.num_bad > 0 for source in dataset.datasets)


def test_a_mixture_by_temperature_and_from_configs(tmp_path):
    shards = dict(type='florence.WebDatasetPairs', shards=write_shards(tmp_path, 2))
    assert StreamMixture([shards, dict(shards)], temperature=2, sizes=[900, 100]).weights == [0.75, 0.25]
    for options, message in (
        (dict(), 'either weights or a temperature'),
        (dict(temperature=2), 'go together'),
        (dict(weights=[1]), '1 weights for 2 sources'),
        (dict(weights=[1, 0]), 'must be positive'),
        (dict(temperature=1, sizes=[1]), '1 sizes for 2 sources'),
    ):
        with pytest.raises(ValueError, match=message):
            StreamMixture([shards, shards], **options)
    with pytest.raises(ValueError, match='endless streams'):
        StreamMixture([shards | dict(repeat=False)], weights=[1])


def test_another_mixture_is_refused(tmp_path):
    _, state = run(loader_of(mixture(tmp_path), 0), 2)
    with pytest.raises(ValueError, match='saved with the mixture'):
        run(loader_of(mixture(tmp_path, weights=[1, 1]), 0), 1, state)


def test_two_loaders_give_equal_batches(tmp_path):
    shards = write_shards(tmp_path, 4)
    assert plain(next(iter(loader_of(stream(shards), 0)))) == plain(next(iter(loader_of(stream(shards), 0))))
