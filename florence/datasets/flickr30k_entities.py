"""Flickr30k Entities (arXiv 1505.04870): which boxes the phrases of Flickr30k's sentences mean.

Files are those of https://github.com/BryanPlummer/flickr30k_entities: `Sentences/<image>.txt`, where phrases are marked as
`[/EN#<entity>/<kind> a phrase]`, `Annotations/<image>.xml` with the boxes of entities, and lists of images. One is taken off
coordinates, as in the official reader. Sentences stay as they are, in words apart, without the marks.
"""

import re
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from mmengine.logging import print_log

from florence.datasets.pair_dataset import PairDataset
from florence.datasets.record_readers import read_lines
from florence.registry import DATASETS

PHRASE = re.compile(r'\[/EN#(?P<entity>\d+)(?:/\w+)+ (?P<words>[^\[\]]+)\]')


@DATASETS.register_module()
class Flickr30kEntities(PairDataset):
    """Samples with `record`: the sentences of an image as texts, their phrases with all of their boxes as triplets.

    Phrases without boxes (scenes, what is not visible) are no triplets, so metrics do not count them; images without any phrase
    that has a box are left out, and the log says how many.

    Args:
        ann_file: List of images, `train.txt`, `val.txt` or `test.txt`.
        sentences: Folder of the sentences, relative to `data_root`.
        annotations: Folder of the boxes, relative to `data_root`.
        **kwargs: See `PairDataset`; images are `<image>.jpg` in `data_prefix`.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file has another form.
    """

    def __init__(self, ann_file: str, *, sentences: str = 'Sentences', annotations: str = 'Annotations', **kwargs) -> None:
        self.sentences, self.annotations = sentences, annotations
        super().__init__(ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per image of the list, in its order."""
        samples, num_without = [], 0
        for _, image in read_lines(self.ann_file):
            boxes = read_entity_boxes(Path(self.data_root) / self.annotations / f'{image}.xml')
            texts, triplets = [], []
            for text, phrases in read_entity_sentences(Path(self.data_root) / self.sentences / f'{image}.txt'):
                texts.append(text)
                triplets += [
                    {'text': text, 'phrase': words, 'boxes': boxes[entity]} for entity, words in phrases if entity in boxes
                ]
            num_without += not triplets
            if triplets:
                record = {'image': f'{image}.jpg', 'texts': {'brief': texts}, 'triplets': triplets}
                samples.append({'sample_id': image, 'img_path': str(self.img_root / f'{image}.jpg'), 'record': record})
        if num_without:
            print_log(f'{self.name}: {num_without} images have no phrase with a box: left out', logger='current')
        return samples


def read_entity_sentences(path: Path) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each sentence without marks, and entity and words of its phrases.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a mark cannot be read.
    """
    found = []
    for number, line in read_lines(str(_existing(path))):
        text = PHRASE.sub(lambda phrase: phrase['words'].strip(), line)
        if '[/EN#' in text:
            raise ValueError(
                f'{path}, line {number} has a phrase that is not marked as [/EN#<entity>/<kind> words]: {text[:80]!r}'
            )
        found.append((text, [(phrase['entity'], phrase['words'].strip()) for phrase in PHRASE.finditer(line)]))
    return found


def read_entity_boxes(path: Path) -> dict[str, list[list[int]]]:
    """Boxes `xyxy` of each entity that has any.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such XML.
    """
    try:
        root = ElementTree.parse(_existing(path)).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f'{path} is not valid XML: {error}') from error
    boxes = defaultdict(list)
    for annotated in root.iter('object'):
        box = annotated.find('bndbox')
        if box is None:
            continue
        try:
            corners = [int(box.findtext(side, '')) - 1 for side in ('xmin', 'ymin', 'xmax', 'ymax')]
        except ValueError as error:
            raise ValueError(f'{path}: a bndbox needs whole numbers xmin, ymin, xmax and ymax ({error})') from error
        for name in annotated.iter('name'):
            boxes[(name.text or '').strip()].append(corners)
    return dict(boxes)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f'Flickr30kEntities: no file {path}: check the folders sentences and annotations, and the list')
    return path
