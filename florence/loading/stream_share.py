"""Which part of a stream one loader worker of one rank reads."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StreamShare:
    """One of the logical streams that all ranks and loader workers read side by side.

    Attributes:
        rank, world_size: This process and the number of processes.
        stream, num_streams: Logical stream and their number in this process; one per loader worker.
        augmentation_seed: Seeds the generators before each sample is processed; None = they are left alone.
    """

    rank: int
    world_size: int
    stream: int
    num_streams: int
    augmentation_seed: int | None = None
