"""One list of classes from the lists of several sets.

Names are joined by ever weaker reasons: what the user says, the same spelling, the same word but for a disambiguator in
parentheses, but for the plural, and a synonym that one of the sets gives (LVIS). Two classes of one set are never joined, unless
they have the same name: where a reason would do that, the classes stay apart and are reported as ambiguous. Names with
alternatives (`cabinet/shelf`) are broader than either; they stay apart and are reported as near.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from florence.data_engine.flod.class_names import alternatives, base_key, readable, singular_key, word_key


@dataclass(frozen=True)
class SourceClass:
    """A class of one set.

    Attributes:
        source: Number of the set.
        place: Place in the set's categories.
        name: As the set writes it.
        synonyms: Other names that the set gives.
    """

    source: int
    place: int
    name: str
    synonyms: tuple[str, ...] = ()


@dataclass
class JoinedClass:
    """A class of the joined list.

    Attributes:
        name: As words; unique in the list.
        members: The classes that it stands for, at most one name of each set.
        reasons: Why they were joined.
    """

    name: str
    members: list[SourceClass]
    reasons: list[str] = field(default_factory=list)


@dataclass
class Taxonomy:
    """Attributes:
    classes: The joined list, in the order of the sets and of their categories.
    ambiguous: Keys under which several classes of one set answer, with all who answer.
    near: Classes of different sets that share a part of their names and stay apart.
    """

    classes: list[JoinedClass]
    ambiguous: list[tuple[str, str, list[SourceClass]]]
    near: list[tuple[str, list[SourceClass]]]

    def maps(self, sizes: Sequence[int]) -> list[list[int]]:
        """For each set the number of the joined class of each of its categories.

        Args:
            sizes: Categories of each set.
        """
        result = [[0] * size for size in sizes]
        for number, joined in enumerate(self.classes):
            for member in joined.members:
                result[member.source][member.place] = number
        return result


class _Groups:
    """Disjoint groups of classes; a group remembers why it grew."""

    def __init__(self, classes: Sequence[SourceClass]) -> None:
        self.of = {item: JoinedClass('', [item]) for item in classes}

    def join(self, one: SourceClass, other: SourceClass, reason: str) -> bool:
        """Make one group of two; False where that would join two names of one set."""
        a, b = self.of[one], self.of[other]
        if a is b:
            return True
        names = defaultdict(set)
        for member in (*a.members, *b.members):
            names[member.source].add(word_key(member.name))
        if any(len(own) > 1 for own in names.values()):
            return False
        a.members += b.members
        a.reasons += [*b.reasons, reason]
        for member in b.members:
            self.of[member] = a
        return True


def build_taxonomy(classes: Sequence[SourceClass], same: Iterable[tuple[SourceClass, SourceClass]] = ()) -> Taxonomy:
    """Join the classes of several sets.

    Args:
        classes: Of all sets, in the order of the sets and of their categories.
        same: Pairs that the user says are one class.

    Raises:
        ValueError: If such a pair would join two classes of one set.
    """
    groups = _Groups(classes)
    for one, other in same:
        if not groups.join(one, other, 'asked for'):
            raise ValueError(f'{one.name!r} and {other.name!r} cannot be one class: they would join two classes of one set.')
    unique_base = _unique_bases(classes)
    ambiguous: list[tuple[str, str, list[SourceClass]]] = []

    def base(item: SourceClass) -> list[str]:
        return [base_key(item.name)] if (item.source, base_key(item.name)) in unique_base else []

    steps: list[tuple[str, Callable[[SourceClass], list[str]]]] = [
        ('same name', lambda item: [word_key(item.name)]),
        ('disambiguator', lambda item: [word_key(item.name), *base(item)]),
        ('plural', lambda item: [singular_key(item.name)] if base(item) else [word_key(item.name)]),
        ('synonym', lambda item: [word_key(item.name), *base(item), *map(base_key, item.synonyms)]),
    ]
    for reason, keys in steps:
        _join_by(groups, classes, reason, keys, ambiguous)
    ambiguous += _unresolved_bases(classes, groups)
    joined = _named(classes, groups)
    return Taxonomy(joined, _distinct(ambiguous), _near(classes, groups))


def _unique_bases(classes: Sequence[SourceClass]) -> set[tuple[int, str]]:
    counts: dict[tuple[int, str], set[str]] = defaultdict(set)
    for item in classes:
        counts[item.source, base_key(item.name)].add(word_key(item.name))
    return {key for key, names in counts.items() if len(names) == 1}


def _join_by(
    groups: _Groups,
    classes: Sequence[SourceClass],
    reason: str,
    keys: Callable[[SourceClass], list[str]],
    ambiguous: list[tuple[str, str, list[SourceClass]]],
) -> None:
    """Join the classes that answer to the same key, where at most one group of each set does."""
    answering: dict[str, list[SourceClass]] = defaultdict(list)
    for item in classes:
        for key in dict.fromkeys(keys(item)):
            answering[key].append(item)
    for key, found in answering.items():
        # A class whose own name it is comes before one that has it as a synonym.
        per_source: dict[int, list[SourceClass]] = defaultdict(list)
        for item in found:
            per_source[item.source].append(item)
        chosen = []
        for own in per_source.values():
            first = [item for item in own if key in (word_key(item.name), base_key(item.name))] or own
            if len({id(groups.of[item]) for item in first}) > 1 and len({word_key(item.name) for item in first}) > 1:
                if len(per_source) > 1:
                    ambiguous.append((reason, key, found))
                continue
            chosen += first
        for item in chosen[1:]:
            if not groups.join(chosen[0], item, reason):
                ambiguous.append((reason, key, [chosen[0], item]))


def _unresolved_bases(classes: Sequence[SourceClass], groups: _Groups) -> list[tuple[str, str, list[SourceClass]]]:
    """Names that are the bare word of several classes of another set: "bow" beside "bow (weapon)" and "bow (ribbon)"."""
    by_base: dict[str, list[SourceClass]] = defaultdict(list)
    for item in classes:
        by_base[base_key(item.name)].append(item)
    found = []
    for key, items in by_base.items():
        apart = len({id(groups.of[item]) for item in items}) > 1
        if apart and len({item.source for item in items}) > 1:
            found.append(('disambiguator', key, items))
    return found


def _distinct(ambiguous: list[tuple[str, str, list[SourceClass]]]) -> list[tuple[str, str, list[SourceClass]]]:
    seen: dict[frozenset[SourceClass], tuple[str, str, list[SourceClass]]] = {}
    for entry in ambiguous:
        seen.setdefault(frozenset(entry[2]), entry)
    return list(seen.values())


def _named(classes: Sequence[SourceClass], groups: _Groups) -> list[JoinedClass]:
    joined: dict[int, JoinedClass] = {}
    used: set[str] = set()
    for item in classes:
        group = groups.of[item]
        if id(group) in joined:
            continue
        group.members.sort(key=lambda member: (member.source, member.place))
        name = readable(item.name)
        while name in used:
            name += ' (other)'
        used.add(name)
        group.name = name
        joined[id(group)] = group
    return list(joined.values())


def _near(classes: Sequence[SourceClass], groups: _Groups) -> list[tuple[str, list[SourceClass]]]:
    by_part: dict[str, list[SourceClass]] = defaultdict(list)
    for item in classes:
        for key in (base_key(item.name), *alternatives(item.name)):
            by_part[key].append(item)
    return [
        (key, items)
        for key, items in by_part.items()
        if any(alternatives(item.name) for item in items) and len({id(groups.of[item]) for item in items}) > 1
    ]
