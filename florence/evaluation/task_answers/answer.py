"""One answer of Florence-2 beside the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TaskAnswer:
    """What a model answered to one prompt about one image.

    Attributes:
        image: Name of the image.
        image_size: Width and height, pixels.
        text: The answer as it was written.
        parsed: What the task's parser read in it.
        references: All right texts.
        truth: Regions of the record that are asked about, unquantised: `labels` and `boxes`, `quads` or `polygons`, as parsers
            give them; empty for tasks of texts.
        scores: For each way to score regions (`florence.tasks.florence2.box_scores`) one score a region; empty
            where there are none.
        ids: `image_id` and `question_id` of the annotation, where it has them.
    """

    image: str
    image_size: tuple[float, float]
    text: str
    parsed: Mapping
    references: Sequence[str]
    truth: Mapping = field(default_factory=dict)
    scores: Mapping[str, Sequence[float]] = field(default_factory=dict)
    ids: Mapping[str, int | str] = field(default_factory=dict)
