"""Base of the data sets with an index: images with texts or classes, broken samples replaced and counted."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mmengine.dataset import BaseDataset

from florence.datasets.bad_samples import BadSampleGuard
from florence.datasets.sample_texts import drop_short_texts, require_texts, settle_single_caption, texts_of
from florence.tasks.florence2.record_texts import record_texts


class PairDataset(BaseDataset):
    """A list of samples read from an annotation file or a folder; a subclass gives `load_data_list`.

    Each sample is a dict with `sample_id`, `img_path` and `text`, `captions` or `gt_label`; the pipeline's
    results dict is described in `florence.datasets.transforms`. In training a bad sample is replaced by
    another one, counted and named in the log; in `test_mode` it raises, because a figure over other samples
    than the set's is a wrong figure.

    Args:
        ann_file: Annotation file, relative to `data_root` or absolute; empty where the set has none.
        data_root: Folder that the other paths are relative to.
        data_prefix: `dict(img_path=...)`: folder of the images, relative to `data_root`.
        pipeline: Transforms, or their configs.
        test_mode: Evaluation: all captions stay together, nothing is replaced.
        drop_short_texts: Leave out texts of at most this many words (second pretraining stage); None = keep
            all.
        max_bad_share: Largest share of reads that may meet a bad sample, in `[0, 1)`.
        min_samples_before_stop: Reads before that share is judged.
        metainfo: More entries for `metainfo`.
        indices: Use only the first n samples (int), or these.
        serialize_data: Keep the annotations as one byte array that loader workers share.
        lazy_init: Read the annotations at first use.

    Raises:
        FileNotFoundError: If the annotation file or the image folder is missing.
        ValueError: If no sample is found.
    """

    def __init__(
        self,
        ann_file: str = '',
        *,
        data_root: str = '',
        data_prefix: dict | None = None,
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        drop_short_texts: int | None = None,
        max_bad_share: float = 0.01,
        min_samples_before_stop: int = 100,
        metainfo: dict | None = None,
        indices: int | Sequence[int] | None = None,
        serialize_data: bool = True,
        lazy_init: bool = False,
    ) -> None:
        self.drop_short_texts = drop_short_texts
        self.guard = BadSampleGuard(max_bad_share=max_bad_share, min_samples_before_stop=min_samples_before_stop)
        self.shared_info: dict = {}
        super().__init__(
            ann_file=str(ann_file),
            metainfo=metainfo,
            data_root=str(data_root),
            data_prefix={'img_path': ''} if data_prefix is None else data_prefix,
            indices=indices,
            serialize_data=serialize_data,
            pipeline=list(pipeline),
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    @property
    def img_root(self) -> Path:
        """Folder of the images."""
        return Path(self.data_prefix['img_path'])

    @property
    def name(self) -> str:
        """Name of the set in messages."""
        return f'{type(self).__name__} {self.ann_file or self.img_root}'

    def share_with_samples(self, **entries: object) -> None:
        """Give every sample the same objects, without a copy in each annotation."""
        self.shared_info.update(entries)

    def full_init(self) -> None:
        """Read the annotations, once.

        Raises:
            FileNotFoundError: If the annotation file or the image folder is missing.
            ValueError: If no sample is found.
        """
        if self._fully_initialized:
            return
        if self.ann_file and not Path(self.ann_file).is_file():
            raise FileNotFoundError(f'{type(self).__name__}: no annotation file at {self.ann_file}')
        if not self.img_root.is_dir():
            raise FileNotFoundError(f'{type(self).__name__}: no image folder at {self.img_root}')
        super().full_init()

    def filter_data(self) -> list[dict]:
        """Leave out short texts where `drop_short_texts` asks for it; refuse an empty set and `indices` beyond it."""
        kept = self.data_list
        if not kept:
            raise ValueError(f'{self.name}: no sample found')
        if self.drop_short_texts is not None:
            kept = drop_short_texts(kept, self.drop_short_texts, self.name)
        if isinstance(self._indices, Sequence):
            beyond = [index for index in self._indices if not -len(kept) <= index < len(kept)]
            if beyond:
                raise ValueError(f'{self.name} has {len(kept)} samples, `indices` names {beyond[0]}')
        return kept

    def get_data_info(self, idx: int) -> dict:
        """Annotation of one sample, ready for the pipeline."""
        return settle_single_caption({**super().get_data_info(idx), **self.shared_info}, self.test_mode)

    def prepare_data(self, idx: int) -> dict:
        """Read and process one sample.

        Raises:
            BadSample: If its image or text cannot be used.
        """
        info = self.get_data_info(idx)
        require_texts(info)
        return self.pipeline(info)

    def __getitem__(self, idx: int) -> dict:
        """One sample after the pipeline; in training a usable one stands in for a bad one.

        Raises:
            BadSample: In `test_mode`, if the sample cannot be used.
            TooManyBadSamples: In training, if the share of bad samples is above the limit.
        """
        self.full_init()
        if self.test_mode:
            return self.prepare_data(idx)
        return self.guard.read(idx, len(self), self.prepare_data)

    def captions(self) -> Iterator[str]:
        """Every text of the set, in order, without opening an image: food for a tokenizer's training."""
        self.full_init()
        for idx in range(len(self)):
            info = self.get_data_info(idx)
            yield from texts_of(info)
            yield from record_texts(info.get('record', {}))
