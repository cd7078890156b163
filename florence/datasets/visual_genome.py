"""Visual Genome: objects and their attributes (arXiv 1602.07332), in the form that mmdet's pipelines read.

Florence (arXiv 2111.11432, section 3.6) fine-tunes on it with attribute learning. VinVL's selection, on which its Table 6 rests,
has 1,594 classes and 524 attributes.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from florence.datasets.bad_samples import BadSampleGuard
from florence.datasets.detection_samples import GuardedSamples
from florence.datasets.visual_genome_json import VisualGenomeData, read_coco_form, read_raw_form
from florence.registry import DATASETS


@DATASETS.register_module()
class VisualGenome(GuardedSamples, BaseDataset):
    """One sample an image: `img_path`, `img_id`, `height`, `width`, `num_attributes` and `instances`.

    An instance has `bbox` (xyxy, pixels), `bbox_label`, `ignore_flag` and `attributes`, a list of indices. `metainfo` has
    `classes` and `attributes`. What the files hold that cannot be used is left out, counted, and logged in one line. In training
    a missing or broken image is counted and replaced by another sample; in `test_mode` it is an error.

    Args:
        ann_file: File of the COCO form (`florence.datasets.visual_genome_json`), or `objects.json` of the raw form.
        image_file: `image_data.json`; makes it the raw form.
        attributes_file: `attributes.json` of the raw form.
        vocabulary_file: Classes and attributes of the raw form.
        image_ids_file: Images of a split: a JSON list of ids, or one id a line; None: all.
        data_root: Folder that the paths are relative to.
        data_prefix: `dict(img=...)`: folder of the images, relative to `data_root`.
        pipeline: Transforms, or their configs.
        test_mode: Evaluation: all images stay.
        max_bad_share: Largest share of reads that may meet a bad image, in `[0, 1)`.
        indices: Use only the first n samples (int), or these.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file has another form, `image_file` and `vocabulary_file` are not given together, or no image is left.
    """

    def __init__(
        self,
        ann_file: str,
        *,
        image_file: str | None = None,
        attributes_file: str | None = None,
        vocabulary_file: str | None = None,
        image_ids_file: str | None = None,
        data_root: str = '',
        data_prefix: dict | None = None,
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        max_bad_share: float = 0.01,
        indices: int | Sequence[int] | None = None,
    ) -> None:
        if (image_file is None) != (vocabulary_file is None):
            raise ValueError('VisualGenome: the raw form needs both image_file and vocabulary_file, the COCO form neither.')
        self.raw_files = [name and str(Path(data_root, name)) for name in (image_file, attributes_file, vocabulary_file)]
        self.image_ids_file = image_ids_file and Path(data_root, image_ids_file)
        self.guard = BadSampleGuard(max_bad_share=max_bad_share)
        super().__init__(
            ann_file=ann_file,
            data_root=str(data_root),
            data_prefix={'img': ''} if data_prefix is None else data_prefix,
            pipeline=list(pipeline),
            test_mode=test_mode,
            indices=indices,
        )

    def load_data_list(self) -> list[dict]:
        """One entry an image."""
        data = self._read()
        self._metainfo |= {'classes': data.classes, 'attributes': data.attributes}
        images = data.images
        if self.image_ids_file:
            wanted = set(_read_ids(Path(self.image_ids_file)))
            images = [image for image in images if image['img_id'] in wanted]
        for image in images:
            image['img_path'] = str(Path(self.data_prefix['img'], image.pop('file_name')))
            image['num_attributes'] = len(data.attributes)
        left_out = ', '.join(f'{count} {what}' for what, count in data.left_out.items() if count) or 'nothing'
        print_log(f'VisualGenome {self.ann_file}: {len(images)} images; left out: {left_out}.', logger='current')
        return images

    def _read(self) -> VisualGenomeData:
        image_file, attributes_file, vocabulary_file = self.raw_files
        if image_file is None or vocabulary_file is None:
            return read_coco_form(self.ann_file)
        return read_raw_form(image_file, self.ann_file, attributes_file, vocabulary_file)

    def filter_data(self) -> list[dict]:
        """In training leave out the images without boxes; refuse an empty set."""
        images = self.data_list if self.test_mode else [image for image in self.data_list if image['instances']]
        if not images:
            raise ValueError(f'VisualGenome {self.ann_file}: no image with a box is left; check vocabulary and image ids.')
        return images


def _read_ids(path: Path) -> list[int]:
    if not path.is_file():
        raise FileNotFoundError(f'VisualGenome: no list of image ids at {path}.')
    text = path.read_text()
    try:
        return json.loads(text) if text.lstrip().startswith('[') else [int(line) for line in text.split()]
    except ValueError as error:
        raise ValueError(f'{path} is no JSON list of image ids and has not one id a line: {error}.') from None
