"""TextCaps: captions that take reading the text in an image (arXiv 2003.12462)."""

from florence.datasets.caption_groups import caption_sample
from florence.datasets.image_template import path_from_template
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.record_readers import read_json
from florence.registry import DATASETS
from florence.tasks.json_files import require_fields


@DATASETS.register_module()
class TextCaps(PairDataset):
    """One sample per image with all its `captions`, though the file has an entry for each caption; `image_id` is a text.

    Args:
        ann_file: `TextCaps_0.1_<split>.json`; that of the test split has no captions, and is read in `test_mode` alone.
        image_template: Path of an image below `data_prefix`, from `image_id`.
        **kwargs: See `PairDataset`.

    Raises:
        KeyError: If a field is missing.
        ValueError: If the file has another form.
    """

    def __init__(self, ann_file: str, *, image_template: str = '{image_id}.jpg', **kwargs) -> None:
        self.image_template = image_template
        super().__init__(ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per image, in the order in which the file names them."""
        captions: dict[str, list[tuple[int, str]]] = {}
        for number, entry in enumerate(read_json(self.ann_file, field='data')):
            source = f'{self.ann_file}: entry {number}'
            of_image = captions.setdefault(require_fields(entry, ['image_id'], source)['image_id'], [])
            if 'caption_str' in entry or not self.test_mode:
                require_fields(entry, ['caption_id', 'caption_str'], source)
                of_image.append((entry['caption_id'], entry['caption_str'].strip()))
        return [self._sample(image_id, own) for image_id, own in captions.items()]

    def _sample(self, image_id: str, captions: list[tuple[int, str]]) -> dict:
        image = path_from_template(self.image_template, image_id=image_id)
        sample = caption_sample(image, captions, self.img_root, None) | {'image_id': image_id}
        return sample if captions else {key: value for key, value in sample.items() if not key.startswith('caption')}
