"""Image-text pairs streamed from WebDataset tar shards, for sets too large for an index in memory."""

import itertools
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import PurePath

import torch
from mmengine.dataset import Compose
from mmengine.dist import get_dist_info
from mmengine.logging import print_log
from torch.utils.data import IterableDataset, get_worker_info

from florence.datasets.bad_samples import BadSample, BadSampleGuard, TooManyBadSamples
from florence.datasets.sample_texts import require_texts, settle_single_caption, texts_of, without_short_texts
from florence.datasets.shard_sequence import ShardSequence
from florence.datasets.shard_stream import deal_shards, expand_shards, read_shard
from florence.datasets.shuffle_buffer import ShuffleBuffer
from florence.loading.number_hash import hash_numbers
from florence.loading.sample_seed import seed_generators
from florence.loading.stream_share import StreamShare
from florence.registry import DATASETS
from florence.tasks.text_hash import text_label

IMAGE_EXTENSIONS = ('jpg', 'jpeg', 'png', 'webp')
MAX_WORKERS = 1024


@DATASETS.register_module()
class WebDatasetPairs(IterableDataset):
    """Training pairs: members `KEY.jpg` (or png, webp) with `KEY.txt` or `KEY.json`.

    Use it with an iteration-based loop and `sampler=None` in the data loader: ranks need not hold equally
    many samples. A bad sample is skipped, counted and named in the log. Each pass has its own order, decided
    by `seed`. Evaluation needs each sample once on every rank's share, so it has no streaming form: read such
    sets with an index.

    Args:
        shards: Paths or a brace pattern, see `expand_shards`.
        pipeline: Transforms, or their configs.
        text_from: `'txt'`: the text is the `.txt` member; `'json'`: it is the field `json_key` of the `.json`
            member (a str, or a list of several captions).
        json_key: That field.
        shuffle_size: Samples in the shuffle buffer of each worker; 0 = the order of the shards.
        seed: Decides the order; None = as listed, without any shuffling.
        repeat: Pass after pass without end, as iteration-based training needs: no worker falls behind the
            others, and the stream can be resumed at a sample. False: iteration stops after one pass.
        num_samples: Samples in the whole set, where `repeat` is False; only then does the set have a length,
            which epoch-based loops need.
        drop_short_texts: Leave out texts of at most this many words; None = keep all.
        max_bad_share: Largest share of samples that may be bad, in `[0, 1)`.
        min_samples_before_stop: Samples read before that share is judged; a shorter stream is judged at its
            end.

    Raises:
        FileNotFoundError: If a shard is missing.
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        shards: str | Sequence[str],
        *,
        pipeline: Sequence[dict | Callable] = (),
        text_from: str = 'txt',
        json_key: str = 'text',
        shuffle_size: int = 1000,
        seed: int | None = 0,
        repeat: bool = True,
        num_samples: int | None = None,
        drop_short_texts: int | None = None,
        max_bad_share: float = 0.01,
        min_samples_before_stop: int = 100,
    ) -> None:
        if text_from not in ('txt', 'json'):
            raise ValueError(f'text_from must be "txt" or "json", not {text_from!r}')
        if shuffle_size < 0:
            raise ValueError(f'shuffle_size must not be negative, got {shuffle_size}')
        if repeat and num_samples is not None:
            raise ValueError('an endless stream has no length: set repeat=False beside num_samples, or leave num_samples out')
        self.shards = expand_shards(shards)
        self.pipeline = Compose(list(pipeline))
        self.text_from = text_from
        self.json_key = json_key
        self.shuffle_size = 0 if seed is None else shuffle_size
        self.seed = seed
        self.is_endless = repeat
        self.num_samples = num_samples
        self.drop_short_texts = drop_short_texts
        self.guard = BadSampleGuard(max_bad_share=max_bad_share, min_samples_before_stop=min_samples_before_stop)
        self.metainfo: dict = {'dataset_type': type(self).__name__}
        # Workers may be started anew for each pass; from shared memory each knows how many it has made.
        self._epochs = torch.zeros(MAX_WORKERS, dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        """Samples on this rank, about; shards need not be equally long.

        Raises:
            TypeError: If `num_samples` was not given.
        """
        if self.num_samples is None:
            raise TypeError('this stream has no length: use an iteration-based loop, or set repeat=False and num_samples')
        return max(1, self.num_samples // get_dist_info()[1])

    def set_epoch(self, epoch: int) -> None:
        """Begin with this pass.

        Args:
            epoch: Passes that count as made.
        """
        self._epochs.fill_(epoch)

    def __iter__(self) -> Iterator[dict]:
        """This worker's share, pass after pass where `repeat` is set, else the next pass.

        Raises:
            TooManyBadSamples: If the share of bad samples is above the limit.
            ValueError: If there are fewer shards than ranks or, in an endless stream, than workers.
        """
        info = get_worker_info()
        worker, num_workers = (info.id, info.num_workers) if info else (0, 1)
        if num_workers > MAX_WORKERS:
            raise ValueError(f'at most {MAX_WORKERS} loader workers are supported, not {num_workers}')
        position = self.new_position() | {'epoch': int(self._epochs[worker])}
        if not self.is_endless:
            self._epochs[worker] += 1
        yield from self.read(StreamShare(*get_dist_info(), worker, num_workers), position)

    def new_position(self) -> dict:
        """Position before the first sample.

        Returns:
            `order`: what decides the order of the samples, hashed; `epoch`: passes made; `draws`: samples drawn from
            the shuffle buffer in this pass, usable or not; `shard_sizes`: samples in each shard that was read to its end
            in this pass.
        """
        names = [PurePath(shard).name for shard in self.shards]
        order = text_label(f'{self.seed}/{self.shuffle_size}/{" ".join(names)}')
        return {'order': order, 'epoch': 0, 'draws': 0, 'shard_sizes': []}

    def check_position(self, position: dict) -> None:
        """Refuse the position of a stream in another order.

        Raises:
            ValueError: If shards, seed or shuffle_size are not those of the position.
        """
        if position['order'] != self.new_position()['order']:
            raise ValueError(
                f'{self.name}: the data position was saved with other shards, another seed or another shuffle_size: set them as '
                'they were, or start from the weights alone with --load-from'
            )

    def read(self, share: StreamShare, position: dict) -> Iterator[dict]:
        """Samples of a share from a position on. Consumed samples are never decoded, whole shards of them not even read.

        Args:
            share: Which part of the shards.
            position: See `new_position`; brought up to date before each sample.

        Raises:
            TooManyBadSamples: If the share of bad samples is above the limit.
            ValueError: If there are too few shards, or in a whole pass no usable sample.
        """
        self._require_enough_shards(share)
        while True:
            from_start, num_given = position['draws'] == 0, 0
            for sample in self._usable(self._draw(share, position), share, position):
                num_given += 1
                yield sample
            # A run that was resumed within the pass has counted too little to judge a set that is smaller than the minimum.
            if from_start and self.guard.num_reads:
                self.guard.check(length=self.guard.num_reads)
            if not self.is_endless:
                return
            if from_start and not num_given:
                raise ValueError(f'{self.name}: stream {share.stream} of rank {share.rank} met no usable sample in a whole pass')
            position.update(epoch=position['epoch'] + 1, draws=0, shard_sizes=[])

    def _require_enough_shards(self, share: StreamShare) -> None:
        if len(self.shards) < share.world_size:
            raise ValueError(f'{len(self.shards)} shards cannot feed {share.world_size} ranks: cut the set into more shards')
        if self.is_endless and len(self.shards) // share.world_size < share.num_streams:
            raise ValueError(
                f'{len(self.shards)} shards cannot feed {share.world_size} ranks with {share.num_streams} loader workers each: '
                'cut the set into more shards, or set num_workers lower'
            )

    def _draw(self, share: StreamShare, position: dict) -> Iterator[dict]:
        """Raw samples of what is left of one pass."""
        epoch = position['epoch']
        shards = deal_shards(self.shards, share, seed=self.seed, epoch=epoch)
        buffer = ShuffleBuffer(self.shuffle_size, text_label(f'{self.seed}/{epoch}/{share.rank}/{share.stream}'))
        for members in buffer.draw(ShardSequence(shards, self._read_one, position['shard_sizes']), position['draws']):
            position['draws'] += 1
            yield members

    def _read_one(self, path: str) -> Iterator[dict]:
        yield from read_shard(path, partial(self._on_error, path))

    def _on_error(self, path: str, error: Exception) -> bool:
        # webdataset catches what this callback raises and calls it again with that.
        if isinstance(error, TooManyBadSamples):
            raise error
        reason = error.args[0] if error.args else repr(error)
        self.guard.count_bad(BadSample(f'shard {path} is broken, samples after the break are lost: {reason}'))
        return True

    def _usable(self, raw: Iterator[dict], share: StreamShare, position: dict) -> Iterator[dict]:
        num_short = 0
        for members in raw:
            try:
                info = self._parse(members)
                require_texts(info)
                kept = self._keep_long(info)
                if kept is None:
                    num_short += 1
                    continue
                if share.augmentation_seed is not None:
                    place = (share.rank, share.stream, position['epoch'], position['draws'])
                    seed_generators(hash_numbers(share.augmentation_seed, *place))
                sample = self.pipeline(settle_single_caption(kept, test_mode=False))
            except BadSample as error:
                self.guard.count_bad(error)
                continue
            self.guard.count_good()
            yield sample
        if num_short:
            print_log(
                f'{self.name}: left out {num_short} samples whose texts have at most {self.drop_short_texts} words',
                logger='current',
                level=logging.INFO,
            )

    def _keep_long(self, info: dict) -> dict | None:
        return info if self.drop_short_texts is None else without_short_texts(info, self.drop_short_texts)

    @property
    def name(self) -> str:
        """Name of the set in messages."""
        return f'{type(self).__name__} {self.shards[0]} (1 of {len(self.shards)} shards)'

    def _parse(self, members: dict) -> dict:
        """Encoded image and texts of one sample.

        Raises:
            BadSample: If the image or the text member is missing or broken.
        """
        sample_id = f'{members["__url__"]}/{members["__key__"]}'
        extension = next((ext for ext in IMAGE_EXTENSIONS if ext in members), None)
        if extension is None:
            raise BadSample(f'sample {sample_id} has no image, its members are {_extensions(members)}')
        return {
            'sample_id': sample_id,
            'img_bytes': members[extension],
            'captions': self._texts(members, sample_id),
        }

    def _texts(self, members: dict, sample_id: str) -> tuple[str, ...]:
        if self.text_from not in members:
            raise BadSample(f'sample {sample_id} has no .{self.text_from} member, its members are {_extensions(members)}')
        try:
            content = members[self.text_from].decode('utf-8')
            texts = content.strip() if self.text_from == 'txt' else json.loads(content)[self.json_key]
        except (ValueError, KeyError, TypeError) as error:
            raise BadSample(f'sample {sample_id} has no readable text in .{self.text_from}: {error!r}') from error
        return tuple(texts) if isinstance(texts, list) else (texts,)

    def captions(self) -> Iterator[str]:
        """Every usable text of all shards in listed order, without decoding an image."""
        for members in itertools.chain.from_iterable(map(self._read_one, self.shards)):
            try:
                info = self._parse(members)
                require_texts(info)
            except BadSample as error:
                self.guard.count_bad(error)
                continue
            self.guard.count_good()
            yield from texts_of(self._keep_long(info) or {})


def _extensions(members: dict) -> str:
    return ', '.join(name for name in members if not name.startswith('__'))
