"""Flickr30k: 31,783 photographs with five human sentences each (Young et al., TACL 2014)."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from florence.datasets.caption_groups import caption_sample
from florence.datasets.karpathy_split import karpathy_file_names
from florence.datasets.pair_dataset import PairDataset
from florence.registry import DATASETS

TOKEN_LINE = re.compile(r'^(?P<image>[^#\t]+)#(?P<number>\d+)\t(?P<text>.*)$')
# The published results.csv has a row without its second bar: "2199200615.jpg| 4   A dog runs across ..."
CSV_LINE = re.compile(r'^(?P<image>[^|]+)\|\s*(?P<number>\d+)\s*[|\s](?P<text>.*)$')
CSV_HEADER = re.compile(r'^\s*image_name\s*\|')


def read_flickr30k_captions(path: str) -> Iterator[tuple[str, int, str]]:
    """File name, number within the image, and text of every caption.

    Args:
        path: `results_20130124.token` (`name#number<tab>text`) or `results.csv` (`name| number| text`).

    Raises:
        ValueError: If a line has neither form.
    """
    with open(path, encoding='utf-8') as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip() or (number == 1 and CSV_HEADER.match(line)):
                continue
            match = TOKEN_LINE.match(line) or CSV_LINE.match(line)
            if match is None:
                raise ValueError(
                    f'{path}, line {number} is neither "name#number<tab>caption" nor '
                    f'"name| number| caption": {line.strip()[:80]!r}'
                )
            yield match['image'].strip(), int(match['number']), match['text'].strip()


@DATASETS.register_module()
class Flickr30k(PairDataset):
    """One sample per image with all its `captions`; `caption_ids` are `name#number` as in the token file.

    Args:
        ann_file: `results_20130124.token` or `results.csv`.
        karpathy_file: `dataset_flickr30k.json`; with it only the images of `split` are taken (test: 1,000).
        split: Split or splits of that file.
        max_captions: Keep the first so many captions of an image; None = all.
        **kwargs: See `PairDataset`.

    Raises:
        KeyError: If the split is unknown.
        ValueError: If a line cannot be read, or only one of `karpathy_file` and `split` is given.
    """

    def __init__(
        self,
        ann_file: str,
        *,
        karpathy_file: str | None = None,
        split: str | Sequence[str] | None = None,
        max_captions: int | None = None,
        **kwargs,
    ) -> None:
        if (karpathy_file is None) != (split is None):
            raise ValueError('Flickr30k: give karpathy_file and split together, or neither')
        self.karpathy_file = karpathy_file
        self.split = split
        self.max_captions = max_captions
        super().__init__(ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per image, in the order of the file."""
        captions: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for image, number, text in read_flickr30k_captions(self.ann_file):
            captions[image].append((f'{image}#{number}', text))
        if self.karpathy_file is not None and self.split is not None:
            wanted = karpathy_file_names(self.karpathy_file, self.split)
            missing = wanted - captions.keys()
            if missing:
                raise ValueError(f'{self.ann_file} has no captions for {len(missing)} images, e.g. {min(missing)}')
            captions = {image: texts for image, texts in captions.items() if image in wanted}
        return [caption_sample(image, texts, self.img_root, self.max_captions) for image, texts in captions.items()]
