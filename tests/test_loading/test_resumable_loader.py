"""Sets with an index: the batches after a resume are those of the run that was not interrupted, bit for bit."""

import copy
import json
import pickle

import mmengine.dataset.sampler
import pytest
import torch
from mmengine.hooks import DistSamplerSeedHook
from mmengine.runner import Runner
from resume_helpers import NoisySet, assert_resumes_exactly, plain, run

from florence.datasets import RecordPairs, WebDatasetPairs
from florence.datasets.samplers import position_sampler
from florence.loading import DataPosition, make_resumable

SAMPLERS = {
    'shuffled': dict(type='florence.ShuffledSampler'),
    'infinite': dict(type='InfiniteSampler'),
    'epochs': dict(type='DefaultSampler', shuffle=True),
}


def raw_loader(dataset, sampler: dict, num_workers: int = 0, batch_size: int = 4, seed: int = 3, **options):
    options |= dict(persistent_workers=num_workers > 0, collate_fn=dict(type='pseudo_collate'))
    cfg = dict(dataset=dataset, sampler=sampler, batch_size=batch_size, num_workers=num_workers, **options)
    return Runner.build_dataloader(cfg, seed=seed)


def noisy_loader(sampler: str, num_workers: int = 0, length: int = 22, seed: int = 3, **options):
    ranks = {name: options.pop(name) for name in ('rank', 'world_size') if name in options}
    loader = raw_loader(NoisySet(length), SAMPLERS[sampler], num_workers, seed=seed, **options)
    return make_resumable(loader, seed + 2, **ranks)


@pytest.fixture
def on_rank(monkeypatch):
    """Let samplers believe that they run on one of several ranks."""

    def pretend(rank: int, world_size: int) -> dict[str, int]:
        for module in (position_sampler, mmengine.dataset.sampler):
            monkeypatch.setattr(module, 'get_dist_info', lambda: (rank, world_size))
        return dict(rank=rank, world_size=world_size)

    return pretend


@pytest.mark.parametrize(
    ('sampler', 'num_workers', 'then'),
    [('shuffled', 0, 0), ('shuffled', 1, 3), ('infinite', 0, 1), ('epochs', 0, 0), ('epochs', 3, 0), ('epochs', 1, 1)],
)
@pytest.mark.filterwarnings('ignore:This DataLoader will create')
def test_resume_is_exact_with_any_number_of_workers(sampler, num_workers, then):
    """Six batches make an epoch: the stop lies in the second, and the end of it behind the stop."""
    assert_resumes_exactly(lambda n: noisy_loader(sampler, n), stop=8, more=7, num_workers=num_workers, then=then)


def test_resume_of_real_images_with_random_crops(make_pairs, tmp_path):
    folder = make_pairs(20, {3: 'truncated'})
    pipeline = [
        dict(type='florence.LoadImage'),
        dict(type='florence.RandomResizedCrop', scale=8, crop_scale=(0.1, 1.0)),
        dict(type='florence.RandomFlip', prob=0.5),
        dict(type='florence.PackImageText'),
    ]

    def build(num_workers):
        dataset = RecordPairs('pairs.json', data_root=str(folder), pipeline=pipeline, max_bad_share=0.5)
        return make_resumable(raw_loader(dataset, SAMPLERS['shuffled'], num_workers), seed=1)

    assert_resumes_exactly(build, stop=6, more=6, num_workers=0, then=2)


@pytest.mark.parametrize(('stop', 'num_workers'), [(5, 0), (6, 0), (6, 2), (12, 0)])
def test_resume_at_the_end_of_an_epoch(stop, num_workers):
    assert_resumes_exactly(lambda n: noisy_loader('epochs', n), stop=stop, more=3, num_workers=num_workers)


def test_resume_of_a_resumed_run():
    whole, _ = run(noisy_loader('epochs'), 15)
    _, state = run(noisy_loader('epochs'), 4)
    _, state = run(noisy_loader('epochs'), 5, state)
    assert run(noisy_loader('epochs'), 6, state)[0] == whole[9:]


def test_epoch_loop_that_begins_the_next_epoch():
    """mmengine's loop restores its epoch and tells the sampler, while the position lies at the end of the one before."""
    whole, _ = run(noisy_loader('epochs'), 9)
    _, state = run(noisy_loader('epochs'), 6)
    loader = noisy_loader('epochs')
    DataPosition(loader).load_state_dict(state)

    class TrainLoop:
        dataloader = loader

    class EpochRunner:
        train_loop, epoch = TrainLoop, 1

    DistSamplerSeedHook().before_train_epoch(EpochRunner)
    assert [plain(batch) for batch in loader][:3] == whole[6:]


@pytest.mark.parametrize('num_workers', [0, 2])
def test_consumed_samples_are_not_read_again(num_workers):
    _, state = run(noisy_loader('shuffled', length=100_000), 30)
    loader = noisy_loader('shuffled', num_workers, length=100_000)
    run(loader, 5, state)
    prefetched = 2 * num_workers
    assert 5 * 4 <= int(loader.dataset.num_reads) <= (5 + prefetched) * 4


def test_state_is_plain_and_survives_json():
    _, state = run(noisy_loader('epochs'), 8)
    assert json.loads(json.dumps(state)) == state
    assert (state['epoch'], state['batches']) == (1, 2)


def test_position_counts_consumed_batches_not_prefetched_ones():
    loader = noisy_loader('shuffled', num_workers=2)
    position = DataPosition(loader)
    batches = iter(loader)
    for number in range(3):
        position.observe(next(batches))
        assert position.state_dict()['batches'] == number + 1


def dealt_to_two(batch: list) -> list[list]:
    """A batch (noise of all samples, then all indices) as two ranks share it."""
    noise, indices = batch[: len(batch) // 2], batch[len(batch) // 2 :]
    return [noise[rank::2] + indices[rank::2] for rank in range(2)]


@pytest.mark.parametrize('sampler', SAMPLERS)
def test_two_ranks_see_what_one_process_sees(sampler, on_rank):
    whole, _ = run(noisy_loader(sampler, batch_size=8), 5)
    shares = []
    for rank in range(2):
        shares.append(run(noisy_loader(sampler, **on_rank(rank, 2)), 5)[0])
    for step in range(5):
        assert dealt_to_two(whole[step]) == [shares[0][step], shares[1][step]]


def test_resume_on_more_ranks_of_smaller_batches(on_rank):
    whole, state = run(noisy_loader('shuffled', batch_size=8), 6)
    _, state = run(noisy_loader('shuffled', batch_size=8), 4)
    halves = [run(noisy_loader('shuffled', **on_rank(rank, 2)), 2, state)[0] for rank in range(2)]
    for step in range(2):
        assert dealt_to_two(whole[4 + step]) == [halves[0][step], halves[1][step]]
    with pytest.raises(ValueError, match='batch_size 8 on 1 ranks, this run has 5 on 1'):
        on_rank(0, 1)
        run(noisy_loader('shuffled', batch_size=5), 1, state)
    with pytest.raises(ValueError, match='no whole number'):
        run(noisy_loader('epochs', batch_size=4), 1, run(noisy_loader('epochs', batch_size=8), 1)[1])


def test_two_ranks_resume(on_rank):
    for rank in range(2):
        ranks = on_rank(rank, 2)
        assert_resumes_exactly(lambda n, ranks=ranks: noisy_loader('epochs', n, **ranks), stop=4, more=4, num_workers=2)


def test_mmdets_batches_by_aspect_ratio():
    from mmdet.datasets.samplers import AspectRatioBatchSampler

    def build(num_workers):
        loader = raw_loader(
            NoisySet(40, sides=3), SAMPLERS['infinite'], num_workers, batch_sampler=dict(type=AspectRatioBatchSampler)
        )
        return make_resumable(loader, seed=0)

    batches, _ = run(build(0), 6)
    assert all(len({index % 3 == 0 for index in batch[4:]}) == 1 for batch in batches)
    assert_resumes_exactly(build, stop=7, more=6, num_workers=2, then=0)


def test_generators_of_the_training_process_are_left_alone():
    loader = noisy_loader('shuffled')
    before = torch.get_rng_state()
    batches = iter(loader)
    next(batches), next(batches)
    assert torch.equal(torch.get_rng_state(), before)


def test_hooks_see_the_data_set_within():
    loader = noisy_loader('shuffled')
    assert loader.dataset.metainfo == NoisySet.metainfo and len(loader.dataset) == 22
    assert not hasattr(loader.dataset, 'captions') and loader.dataset[3]['data_samples'] == 3
    loader.dataset.length = 7
    assert len(loader.dataset.wrapped) == 7
    assert loader.batch_sampler.sampler.seed == 3


def test_wrapped_sets_can_be_copied_and_sent_to_spawned_workers():
    dataset = noisy_loader('shuffled').dataset
    for twin in (pickle.loads(pickle.dumps(dataset)), copy.deepcopy(dataset)):
        assert twin is not dataset and twin.metainfo == dataset.metainfo
        ours, its = dataset.__getitems__([(0, 4, 2)]), twin.__getitems__([(0, 4, 2)])
        assert ours[0][0] == its[0][0] == (0, 0) and torch.equal(ours[0][1]['inputs'], its[0][1]['inputs'])


def test_a_look_at_the_first_batch_costs_nothing():
    loader = noisy_loader('infinite')
    first = plain(next(iter(loader)))
    assert plain(next(iter(loader))) == first


@pytest.mark.parametrize('sampler', SAMPLERS)
def test_the_seed_of_the_first_run_decides(sampler):
    """Without a seed in its config a run draws another one each time it is started."""
    whole, _ = run(noisy_loader(sampler), 8)
    _, state = run(noisy_loader(sampler), 5)
    other = noisy_loader(sampler, seed=77)
    assert run(noisy_loader(sampler, seed=77), 5)[0] != whole[:5]
    assert run(other, 3, state)[0] == whole[5:]


def test_epochs_end_is_a_place_to_change_the_number_of_ranks(on_rank):
    _, state = run(noisy_loader('epochs', batch_size=8), 3)
    state |= dict(epoch=1, batches=0)
    whole, _ = run(noisy_loader('epochs', batch_size=8), 5)
    halves = [run(noisy_loader('epochs', **on_rank(rank, 2)), 2, state)[0] for rank in range(2)]
    assert [dealt_to_two(batch) for batch in whole[3:]] == [list(pair) for pair in zip(*halves)]


def test_other_data_are_refused():
    _, state = run(noisy_loader('shuffled'), 2)
    for loader, message in (
        (noisy_loader('shuffled', length=23), 'num_samples = 22, this run has 23: restore the data set'),
        (noisy_loader('infinite'), 'sampler = ShuffledSampler, this run has InfiniteSampler'),
    ):
        with pytest.raises(ValueError, match=message):
            DataPosition(loader).load_state_dict(state)
    with pytest.raises(ValueError, match="kind 'stream', this data set needs 'indexed'"):
        DataPosition(noisy_loader('shuffled')).load_state_dict({'kind': 'stream'})


def test_what_cannot_be_resumed_is_refused(tmp_path):
    (tmp_path / 'a.tar').touch()
    once = WebDatasetPairs(str(tmp_path / 'a.tar'), repeat=False)
    for loader, message in (
        (raw_loader(NoisySet(4), SAMPLERS['epochs'], in_order=False), 'in_order'),
        (torch.utils.data.DataLoader(NoisySet(4), batch_size=None), 'without batches'),
        (torch.utils.data.DataLoader(once, batch_size=2), 'set repeat=True'),
    ):
        with pytest.raises(ValueError, match=message):
            make_resumable(loader, seed=0)
    with pytest.raises(ValueError, match='needs a loader from make_resumable'):
        DataPosition(raw_loader(NoisySet(4), SAMPLERS['epochs']))
    with pytest.raises(ValueError, match='as the loader gave it, not dict'):
        DataPosition(noisy_loader('shuffled')).observe({})
    tuples = make_resumable(torch.utils.data.DataLoader(NoisySet(4), collate_fn=tuple), seed=0)
    with pytest.raises(ValueError, match='collate function that gives a dict'):
        next(iter(tuples))
