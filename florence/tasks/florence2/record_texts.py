"""All texts of a record of an image: food for a tokenizer's training. Fields: `florence.tasks.florence2.targets`."""

from collections.abc import Iterator, Mapping

TEXT_FIELDS = {'regions': ('phrase', 'brief', 'text'), 'triplets': ('text', 'phrase'), 'questions': ('question', 'answer')}


def record_texts(record: Mapping) -> Iterator[str]:
    """Captions, then what regions, triplets and questions say; a text that is there twice comes twice."""
    for texts in record.get('texts', {}).values():
        yield from [texts] if isinstance(texts, str) else texts
    for name, fields in TEXT_FIELDS.items():
        for entry in record.get(name, ()):
            yield from (entry[field] for field in fields if field in entry)
