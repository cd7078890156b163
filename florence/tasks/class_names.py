"""Readable class names of public data sets, in the order of their class indices.

Names are written as words ("dining table", not "diningtable") because a text tower reads them.
"""

from functools import lru_cache
from pathlib import Path

_CIFAR10 = 'airplane automobile bird cat deer dog frog horse ship truck'

_CIFAR100 = """
apple, aquarium fish, baby, bear, beaver, bed, bee, beetle, bicycle, bottle, bowl, boy, bridge, bus,
butterfly, camel, can, castle, caterpillar, cattle, chair, chimpanzee, clock, cloud, cockroach, couch, crab,
crocodile, cup, dinosaur, dolphin, elephant, flatfish, forest, fox, girl, hamster, house, kangaroo, keyboard,
lamp, lawn mower, leopard, lion, lizard, lobster, man, maple tree, motorcycle, mountain, mouse, mushroom, oak
tree, orange, orchid, otter, palm tree, pear, pickup truck, pine tree, plain, plate, poppy, porcupine, possum,
rabbit, raccoon, ray, road, rocket, rose, sea, seal, shark, shrew, skunk, skyscraper, snail, snake, spider,
squirrel, streetcar, sunflower, sweet pepper, table, tank, telephone, television, tiger, tractor, train,
trout, tulip, turtle, wardrobe, whale, willow tree, wolf, woman, worm
"""

_VOC2007 = """
aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, dining table, dog, horse, motorbike,
person, potted plant, sheep, sofa, train, tv monitor
"""


def _split(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(','))


CLASS_NAMES: dict[str, tuple[str, ...]] = {
    'cifar10': tuple(_CIFAR10.split()),
    'cifar100': _split(_CIFAR100),
    'digits': ('zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'),
    'stl10': ('airplane', 'bird', 'car', 'cat', 'deer', 'dog', 'horse', 'monkey', 'ship', 'truck'),
    'voc2007': _split(_VOC2007),
}
"""Names by data set; `'imagenet'` is read from open_clip."""

OPEN_CLIP_SET = 'imagenet'


@lru_cache(maxsize=1)
def _imagenet() -> tuple[str, ...]:
    try:
        from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES
    except ImportError as error:
        raise ImportError(
            'the class names of ImageNet come from the package open_clip_torch: install it, or give `classes` yourself'
        ) from error
    return tuple(IMAGENET_CLASSNAMES)


def get_class_names(name: str) -> tuple[str, ...]:
    """Class names of a data set; entry `i` belongs to class index `i`. The same object on every call.

    Args:
        name: `'cifar10'`, `'cifar100'`, `'digits'`, `'imagenet'`, `'stl10'` or `'voc2007'`.

    Raises:
        KeyError: If the data set is unknown.
        ImportError: If the names come from open_clip and the package is absent.
    """
    if name == OPEN_CLIP_SET:
        return _imagenet()
    if name not in CLASS_NAMES:
        raise KeyError(f'no class names for {name!r}; known: {", ".join((*CLASS_NAMES, OPEN_CLIP_SET))}')
    return CLASS_NAMES[name]


def read_class_names(source: str) -> tuple[str, ...]:
    """Class names of a text file with one a line, or of a known set.

    Args:
        source: The file, or a name for `get_class_names`.

    Raises:
        FileNotFoundError: If there is no such file and no such set.
        ValueError: If the file is not UTF-8 or holds no name.
    """
    if not Path(source).is_file():
        try:
            return get_class_names(source)
        except KeyError as error:
            raise FileNotFoundError(f'no file of class names {source!r}, and {error.args[0]}.') from None
    try:
        lines = Path(source).read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f'{source} must be a text in UTF-8 with a class name a line: {error}') from error
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise ValueError(f'{source} holds no class name: give one a line.')
    return names
