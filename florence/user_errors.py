"""What a user can cause, and the sentence that a command-line tool ends with then."""

import difflib
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

USER_ERRORS = (OSError, KeyError, ValueError, ImportError)


def in_words(error: BaseException) -> str:
    """The sentence of an error; `str` of a KeyError would quote it."""
    return f'error: {error.args[0] if isinstance(error, KeyError) and error.args else error}'


def did_you_mean(name: str, known: Iterable[str], most: int = 1) -> str:
    """A sentence that asks for names much like one that is not known, a space before it; empty if there is none.

    Args:
        name: As the user wrote it.
        known: Names there are.
        most: To ask for, the nearest first.
    """
    near = difflib.get_close_matches(name, list(known), n=most)
    return f' Did you mean {" or ".join(map(repr, near))}?' if near else ''


@contextmanager
def ending_in_words() -> Iterator[None]:
    """End the process with the sentence of an error that a user can cause.

    An error of another package has its traceback before the sentence: whose fault it is cannot be told.
    """
    try:
        yield
    except (*USER_ERRORS, TypeError) as error:
        if not _has_own_words(error):
            traceback.print_exc()
        sys.last_value = error  # the process leaves its group by itself only after a run without errors
        sys.exit(in_words(error))


def _has_own_words(error: BaseException | None) -> bool:
    """Whether this package raised the error, or it says by itself what a user did: a missing file, an unknown argument."""
    while error is not None:
        if isinstance(error, FileNotFoundError) or 'unexpected keyword argument' in str(error):
            return True
        frames = traceback.extract_tb(error.__traceback__)
        if frames and Path(__file__).parent in Path(frames[-1].filename).parents and isinstance(error, USER_ERRORS):
            return True
        error = error.__cause__ or error.__context__
    return False
