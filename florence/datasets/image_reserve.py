"""Images held out of a training set by their number alone, the same ones in every run and on every machine.

Florence (arXiv 2111.11432, section 3.7) fine-tunes VQA on train and val without 1,000 images of val. METER takes the
last 1,000 of a list that it has shuffled without a seed; here a hash of the image id decides, so nobody has to publish a list.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from florence.tasks.text_hash import text_label

TAKES = ('rest', 'reserved')


@dataclass(frozen=True)
class ImageReserve:
    """Which images are held out, and which side of the line a data set takes.

    Args:
        images: Number of images to hold out.
        subset: Subset of the set that they come from; `data_subtype` of the question file.
        take: `'rest'`: all images but those; `'reserved'`: those alone.

    Raises:
        ValueError: If an argument is out of range.
    """

    images: int = 1000
    subset: str = 'val2014'
    take: str = 'rest'

    def __post_init__(self) -> None:
        if self.take not in TAKES:
            raise ValueError(f'take of the reserve must be one of {", ".join(TAKES)}, not {self.take!r}')
        if self.images < 1:
            raise ValueError(f'the reserve needs at least 1 image, not {self.images}')

    def of(self, image_ids: Iterable[int | str]) -> set[int | str]:
        """The images of the subset that are held out.

        Args:
            image_ids: Every image of the subset, in any order, repeated or not.

        Raises:
            ValueError: If there are not more images than that.
        """
        pool = set(image_ids)
        if len(pool) <= self.images:
            raise ValueError(
                f'cannot reserve {self.images} of the {len(pool)} images of {self.subset}: list a question file of that subset, '
                'or reserve fewer.'
            )
        return set(heapq.nsmallest(self.images, pool, key=lambda image_id: text_label(f'reserve/{image_id}')))
