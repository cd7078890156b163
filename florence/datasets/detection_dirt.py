"""What is wrong in an annotation file: counted by kind, each kind said once with its first example, or refused."""

import logging

from mmengine.logging import print_log

POLICIES = ('repair', 'error')


class Dirt:
    """Counts the faults of one annotation file.

    Args:
        path: The file, for messages.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.counts: dict[str, int] = {}
        self.examples: dict[str, str] = {}

    def add(self, kind: str, count: int, example: object) -> None:
        """Note faults of one kind.

        Args:
            kind: What is wrong and what becomes of it, e.g. 'boxes without area left out'.
            count: How many; none is no fault.
            example: Name of the first one.
        """
        if count:
            self.counts[kind] = self.counts.get(kind, 0) + int(count)
            self.examples.setdefault(kind, str(example))

    @property
    def total(self) -> int:
        """Faults of all kinds."""
        return sum(self.counts.values())

    def lines(self) -> list[str]:
        """One sentence for each kind."""
        return [f'{self.path}: {count} {kind}, the first: {self.examples[kind]}' for kind, count in self.counts.items()]

    def settle(self, on_dirt: str) -> None:
        """Log one line for each kind, or refuse the file.

        Args:
            on_dirt: 'repair' or 'error'.

        Raises:
            ValueError: If there is a fault and `on_dirt` is 'error'.
        """
        if on_dirt == 'error' and self.counts:
            found = '; '.join(f'{count} {kind} (the first: {self.examples[kind]})' for kind, count in self.counts.items())
            raise ValueError(f"{self.path} has faults: {found}. Mend the file, or set on_dirt='repair'.")
        for line in self.lines():
            print_log(line, logger='current', level=logging.WARNING)


def require_policy(on_dirt: str) -> None:
    """Check the name of a policy.

    Raises:
        ValueError: If it is unknown.
    """
    if on_dirt not in POLICIES:
        raise ValueError(f"on_dirt must be 'repair' or 'error', not {on_dirt!r}.")
