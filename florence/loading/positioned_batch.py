"""A batch that knows its place in the training, so that a checkpoint can say which batches were consumed.

Workers run ahead of the training; the loader's own progress says what was prefetched, not what was trained on. The place
therefore travels with the batch, as an attribute that neither the model nor its data preprocessor sees.
"""

from collections.abc import Callable, Sequence
from typing import Any


class PositionedBatch(dict):
    """What the collate function gave, and its place in the training.

    Attributes:
        position: Plain Python values, see `DataPosition`.
    """

    position: Any = None


def with_position(batch: dict, position: Any) -> PositionedBatch:
    """The batch with its place.

    Raises:
        ValueError: If the collate function does not give a dict.
    """
    if not isinstance(batch, dict):
        raise ValueError(
            f'a resumable loader needs a collate function that gives a dict, as pseudo_collate does, not {type(batch).__name__}'
        )
    positioned = PositionedBatch(batch)
    positioned.position = position
    return positioned


class PositionedCollate:
    """Collates samples that come in pairs with their batch's place; can be sent to a worker.

    Args:
        collate: Collate function for the samples alone.
    """

    def __init__(self, collate: Callable[[Sequence], dict]) -> None:
        self.collate = collate

    def __call__(self, pairs: Sequence[tuple[Any, Any]]) -> PositionedBatch:
        """One batch.

        Args:
            pairs: Place of the batch, the same in all pairs, and sample.
        """
        return with_position(self.collate([sample for _, sample in pairs]), pairs[0][0])


def as_it_is(batch: dict) -> dict:
    """Collate function of a stream that gives whole batches."""
    return batch
