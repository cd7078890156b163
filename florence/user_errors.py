"""What a user can cause, and the sentence that a command-line tool ends with then."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER_ERRORS = (OSError, KeyError, ValueError, ImportError)


def in_words(error: BaseException) -> str:
    """The sentence of an error; `str` of a KeyError would quote it."""
    return f'error: {error.args[0] if isinstance(error, KeyError) and error.args else error}'


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
