"""COCO captions: about five human sentences per image (arXiv 1504.00325)."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import print_log

from florence.datasets.caption_groups import caption_sample
from florence.datasets.karpathy_split import karpathy_file_names
from florence.datasets.pair_dataset import PairDataset
from florence.registry import DATASETS


@DATASETS.register_module()
class CocoCaptions(PairDataset):
    """One sample per image with all its `captions`; `image_id` and `caption_ids` are COCO's numbers.

    Args:
        ann_file: `captions_*.json`; in `test_mode` also `image_info_*.json`, which has no captions: its samples have none to be
            judged by.
        karpathy_file: `dataset_coco.json`; with it only the images of `split` are taken. Its test split lies
            in val2014.
        split: Split or splits of that file.
        max_captions: Keep the first so many captions of an image; retrieval tables use 5. None = all.
        **kwargs: See `PairDataset`.

    Raises:
        KeyError: If the split is unknown, or the annotation lacks a field.
        ValueError: If the file is not JSON, or only one of `karpathy_file` and `split` is given.
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
            raise ValueError('CocoCaptions: give karpathy_file and split together, or neither')
        self.karpathy_file = karpathy_file
        self.split = split
        self.max_captions = max_captions
        super().__init__(ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per image, in the order of the file; one without any caption is reported when read."""
        try:
            annotation = json.loads(Path(self.ann_file).read_text(encoding='utf-8'))
        except json.JSONDecodeError as error:
            raise ValueError(f'{self.ann_file} is not valid JSON: {error}') from error
        has_captions = 'annotations' in annotation or not self.test_mode
        for field in ('images', 'annotations') if has_captions else ('images',):
            if field not in annotation:
                raise KeyError(f'{self.ann_file} has no field {field!r}, found {", ".join(annotation)}')
        captions = defaultdict(list)
        for entry in annotation.get('annotations', ()):
            if 'caption' not in entry:
                raise KeyError(f'{self.ann_file}: annotations have no field "caption", found {", ".join(entry)}')
            captions[entry['image_id']].append((entry['id'], entry['caption'].strip()))
        images = annotation['images']
        if self.karpathy_file is not None and self.split is not None:
            wanted = karpathy_file_names(self.karpathy_file, self.split)
            images = [image for image in images if image['file_name'] in wanted]
            print_log(
                f'{self.name}: {len(images)} of the {len(wanted)} images of split {self.split}',
                logger='current',
            )
        samples = [
            caption_sample(image['file_name'], captions[image['id']], self.img_root, self.max_captions)
            | {'image_id': image['id']}
            for image in images
        ]
        if not has_captions:
            for sample in samples:
                del sample['captions'], sample['caption_ids']
        return samples
