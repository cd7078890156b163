"""What a user can cause, and the sentence that a command-line tool ends with then."""

USER_ERRORS = (OSError, KeyError, ValueError)


def in_words(error: Exception) -> str:
    """The sentence of an error; `str` of a KeyError would quote it."""
    return f'error: {error.args[0] if isinstance(error, KeyError) and error.args else error}'
