"""Work that one rank does for all."""

from collections.abc import Callable

from mmengine.dist import broadcast_object_list, is_main_process


def on_main_process(action: Callable[[], None]) -> None:
    """Run on rank 0 while the others wait; an error there is raised everywhere, so that no rank waits for ever.

    Raises:
        OSError, ValueError: What went wrong on rank 0.
    """
    outcome: list[tuple[type[Exception], str] | None] = [None]
    if is_main_process():
        try:
            action()
        except (OSError, ValueError) as error:
            outcome = [(OSError if isinstance(error, OSError) else ValueError, str(error))]
    broadcast_object_list(outcome)  # the others wait here
    if outcome[0] is not None:
        kind, message = outcome[0]
        raise kind(message)
