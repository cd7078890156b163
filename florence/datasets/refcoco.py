"""RefCOCO, RefCOCO+ (arXiv 1608.00272) and RefCOCOg (arXiv 1511.02283): expressions that mean one object of a photograph.

Files are those of https://github.com/lichengunc/refer: `refs(unc).p`, of RefCOCOg also `refs(umd).p` or `refs(google).p`, and
`instances.json`. Expressions are their field `sent`, as in all tables; `file_name` of a reference is not that of its image, which
is in `instances.json`. Differs from REFER's code: a pickle is read without running anything that it names.
"""

import pickle
from collections import defaultdict
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from mmengine.logging import print_log

from florence.datasets.mask_polygons import polygons_of_segmentation
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.record_readers import read_json
from florence.registry import DATASETS
from florence.tasks.json_files import read_json_object, require_fields

Grouping = Literal['image', 'sentence']


@DATASETS.register_module()
class RefCOCO(PairDataset):
    """Samples with `record`: each expression is a triplet, text and phrase at once, with the box and polygons of its object.

    Args:
        ann_file: `refs(<by>).p`, or the same list as `.json`.
        split: `'train'`, `'val'`, and `'testA'` and `'testB'`, or `'test'` (RefCOCOg).
        per: One sample for each `'sentence'`, as evaluations count; or one for each `'image'` with all of its expressions, so
            that training encodes it once for several. Equal expressions of two objects are one there, with both boxes.
        instances_file: None: `instances.json` beside `ann_file`.
        **kwargs: See `PairDataset`; images lie in `data_prefix`, COCO's train2014.

    Raises:
        FileNotFoundError: If a file is missing.
        KeyError: If a field or the split is missing, or a reference is of an object that is not there.
        ValueError: If a file cannot be read.
    """

    def __init__(
        self, ann_file: str, *, split: str, per: Grouping = 'sentence', instances_file: str | None = None, **kwargs
    ) -> None:
        if per not in get_args(Grouping):
            raise ValueError(f"RefCOCO: per must be 'sentence' or 'image', got {per!r}.")
        self.split, self.per, self.instances_file = split, per, instances_file
        super().__init__(ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per expression or image, in the order of the references."""
        path = Path(self.ann_file).with_name('instances.json')
        if self.instances_file is not None:
            path = Path(self.data_root) / self.instances_file
        images, objects = _read_instances(path)
        found, num_blank, num_maskless = [], 0, 0
        for reference in self._references():
            source = f'{self.ann_file}: reference {reference["ref_id"]}'
            if reference['ann_id'] not in objects or reference['image_id'] not in images:
                raise KeyError(f'{source} is of an object or image that {path} does not have: are they of one folder?')
            place = _place(objects[reference['ann_id']], source)
            for sentence in reference['sentences']:
                text = str(require_fields(sentence, ['sent', 'sent_id'], f'{source}: a sentence')['sent']).strip()
                if text:
                    found.append((images[reference['image_id']], sentence['sent_id'], {'text': text, 'phrase': text, **place}))
                num_blank, num_maskless = num_blank + (not text), num_maskless + ('polygons' not in place)
        for count, problem in (
            (num_blank, 'are blank: left out'),
            (num_maskless, 'have no mask: their boxes alone are asked for'),
        ):
            if count:
                print_log(f'{self.name}: {count} expressions {problem}', logger='current')
        return self._samples(found)

    def _samples(self, found: list[tuple[str, int, dict]]) -> list[dict]:
        if self.per == 'sentence':
            return [self._sample(str(number), image, [triplet]) for image, number, triplet in found]
        of_image = defaultdict(list)
        for image, _, triplet in found:
            of_image[image].append(triplet)
        return [self._sample(image, image, triplets) for image, triplets in of_image.items()]

    def _sample(self, sample_id: str, image: str, triplets: list[dict]) -> dict:
        path = str(self.img_root / image)
        return {'sample_id': sample_id, 'img_path': path, 'record': {'image': image, 'triplets': triplets}}

    def _references(self) -> list[dict]:
        fields = ('ref_id', 'ann_id', 'image_id', 'split', 'sentences')
        references = [require_fields(entry, fields, f'{self.ann_file}: a reference') for entry in read_references(self.ann_file)]
        chosen = [reference for reference in references if reference['split'] == self.split]
        if not chosen:
            known = ', '.join(sorted({str(reference['split']) for reference in references}))
            raise KeyError(f'{self.ann_file} has no split {self.split!r}, found {known}')
        return chosen


def read_references(path: str) -> list:
    """The references of a file, pickled by REFER or as JSON.

    Raises:
        ValueError: If it is damaged, holds another thing than a list, or names anything but plain containers, numbers and texts.
    """
    if path.endswith('.json'):
        return read_json(path)
    try:
        with open(path, 'rb') as file:
            # Python 2 wrote the published ones.
            content = _PlainUnpickler(file, encoding='utf-8').load()
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to mean
        raise ValueError(f'{path} is no pickled list of references as REFER publishes it: {error}') from error
    if not isinstance(content, list):
        raise ValueError(f'{path} must hold a list of references, it holds {type(content).__name__}')
    return content


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f'it names {module}.{name}, which is not loaded')


def _read_instances(path: Path) -> tuple[dict[int, str], dict[int, dict[str, Any]]]:
    """File names of images and annotations of objects, by their ids."""
    if not path.is_file():
        raise FileNotFoundError(f'RefCOCO: no objects at {path}: name instances.json in instances_file')
    content = read_json_object(path, 'images', 'annotations')
    images = [require_fields(image, ['id', 'file_name'], f'{path}: an image') for image in content['images']]
    objects = [require_fields(entry, ['id', 'bbox'], f'{path}: an annotation') for entry in content['annotations']]
    return {image['id']: image['file_name'] for image in images}, {entry['id']: entry for entry in objects}


def _place(entry: dict, source: str) -> dict:
    """`boxes` and, where there is a mask, `polygons` of an object."""
    x, y, width, height = entry['bbox']
    place: dict[str, list] = {'boxes': [[x, y, x + width, y + height]]}
    try:
        parts = polygons_of_segmentation(entry.get('segmentation', []))
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error
    return place | ({'polygons': [parts]} if parts else {})
