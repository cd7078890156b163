"""Whether a file of answers covers a test set: every id present exactly once, and no other."""

from collections import Counter
from collections.abc import Hashable, Sequence

_EXAMPLES = 3


def coverage_problems(given: Sequence[Hashable], expected: Sequence[Hashable], what: str) -> list[str]:
    """One sentence per kind of problem, with its number and examples; empty if all is well.

    Args:
        given: Ids of the answers.
        expected: Ids of the test set.
        what: What the ids are of, in the plural, such as `'questions'`.
    """
    counts = Counter(given)
    wanted = set(expected)
    unknown = [key for key in counts if key not in wanted]
    twice = [key for key, count in counts.items() if count > 1]
    missing = [key for key in expected if key not in counts]
    repeated = [key for key, count in Counter(expected).items() if count > 1]
    kinds = (
        (repeated, 'stand more than once in the test file: list no file twice'),
        (unknown, 'are answered that the test file does not have: is it of the same split'),
        (twice, 'are answered more than once'),
        (missing, f'of {len(expected)} are not answered'),
    )
    return [f'{len(keys)} {what} {problem} ({_named(keys)}).' for keys, problem in kinds if keys]


def _named(keys: Sequence[Hashable]) -> str:
    return ', '.join(map(repr, keys[:_EXAMPLES])) + (', ...' if len(keys) > _EXAMPLES else '')
