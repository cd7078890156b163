"""Visual Genome's region descriptions (arXiv 1602.07332) as captions: about 50 short phrases an image.

METER (arXiv 2111.02387, section 4.1) and Florence (arXiv 2111.11432, section 3.7) pretrain on them.
"""

from pathlib import Path

from mmengine.logging import print_log

from florence.datasets.caption_groups import caption_sample
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.record_readers import read_json
from florence.registry import DATASETS


@DATASETS.register_module()
class VisualGenomeCaptions(PairDataset):
    """One sample per image with all its `captions`; `image_id` and `caption_ids` (of the regions) are Visual Genome's numbers.

    Equal phrases of an image count once. Images without a phrase are left out, and the log says how many.

    Args:
        ann_file: `region_descriptions.json`.
        image_file: `image_data.json`, which tells in which of the two folders (`VG_100K`, `VG_100K_2`) an image lies; None: all
            lie in one, as `<image_id>.jpg`.
        max_captions: Keep the first so many phrases of an image; None = all.
        **kwargs: See `PairDataset`.

    Raises:
        FileNotFoundError: If a file is missing.
        KeyError: If an entry lacks a field.
        ValueError: If a file is no JSON list.
    """

    def __init__(self, ann_file: str, *, image_file: str | None = None, max_captions: int | None = None, **kwargs) -> None:
        self.image_file = image_file and Path(kwargs.get('data_root', ''), image_file)
        self.max_captions = max_captions
        super().__init__(ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per image, in the order of the file."""
        names = self._file_names()
        samples, num_empty = [], 0
        for entry in read_json(self.ann_file):
            _require(entry, ('id', 'regions'), self.ann_file)
            phrases: dict[str, int] = {}
            for region in entry['regions']:
                _require(region, ('region_id', 'phrase'), self.ann_file)
                phrases.setdefault(' '.join((region['phrase'] or '').split()), region['region_id'])
            phrases.pop('', None)
            if not phrases:
                num_empty += 1
                continue
            number = entry['id']
            if names is not None and number not in names:
                raise KeyError(
                    f'{self.image_file} has no image {number}, which {self.ann_file} describes: give files of one release.'
                )
            name = f'{number}.jpg' if names is None else names[number]
            captions = [(region_id, phrase) for phrase, region_id in phrases.items()]
            samples.append(caption_sample(name, captions, self.img_root, self.max_captions) | {'image_id': number})
        if num_empty:
            print_log(f'{self.name}: {num_empty} images without a phrase left out', logger='current')
        return samples

    def _file_names(self) -> dict[int, str] | None:
        """Image id -> file with its folder, the last two parts of its address."""
        if self.image_file is None:
            return None
        if not Path(self.image_file).is_file():
            raise FileNotFoundError(f'VisualGenomeCaptions: no file of images at {self.image_file}')
        names = {}
        for entry in read_json(str(self.image_file)):
            _require(entry, ('image_id', 'url'), str(self.image_file))
            names[entry['image_id']] = '/'.join(entry['url'].split('/')[-2:])
        return names


def _require(entry: dict, fields: tuple[str, ...], path: str) -> None:
    missing = [field for field in fields if field not in entry]
    if missing:
        raise KeyError(f'{path}: an entry has no field {missing[0]!r}, found {", ".join(map(str, entry))}')
