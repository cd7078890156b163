"""Names of what fills the background of pictures: the other side of a softmax over a single class.

With one class alone a softmax gives every region probability 1; four of the eleven zero-shot detection sets of Florence
(arXiv 2111.11432, table 7) have one class. The paper says nothing about it, the list is ours: surfaces, materials and parts that
proposals fall on. It holds no animals, vehicles, tools or people, which would compete with the classes that users look for.
"""

from collections.abc import Iterable

GENERIC_BACKGROUND = (
    'background', 'sky', 'cloud', 'sunlight', 'shadow', 'grass', 'leaves', 'tree', 'ground', 'soil', 'sand', 'rock', 'snow',
    'water', 'road', 'pavement', 'building', 'wall', 'floor', 'ceiling', 'window', 'fence', 'wood', 'metal', 'fabric', 'paper',
    'texture', 'pattern', 'blurry area', 'part of an object',
)  # fmt: skip


def without_classes(background: Iterable[str], classes: Iterable[str]) -> tuple[str, ...]:
    """The background names that are no class themselves, each once; case and outer white space do not count.

    Args:
        background: Names of the background.
        classes: Names of the classes.
    """
    taken = {name.strip().casefold() for name in classes}
    distinct: dict[str, str] = {}
    for name in background:
        distinct.setdefault(name.strip().casefold(), name.strip())
    return tuple(name for key, name in distinct.items() if key not in taken)
