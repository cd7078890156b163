"""From the records of an annotation file (table rows, JSON objects) to samples, by column names."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from florence.datasets.hash_split import HashSplit


@dataclass(frozen=True)
class RecordColumns:
    """Names of the columns of an annotation file.

    Args:
        image: Column of the image's path; a list gives one sample per image.
        text: Column of the description; a list holds several captions of the image.
        sample_id: Column of the sample's name; None = the image's path.
        join_texts: Whether a list of texts is one description in parts, joined by blanks, and not several
            captions.
    """

    image: str = 'image'
    text: str = 'text'
    sample_id: str | None = None
    join_texts: bool = False

    def samples(self, records: Iterable[dict], img_root: Path, split: HashSplit, source: str) -> list[dict]:
        """Every sample of every record that belongs to the split.

        Args:
            records: One dict per row.
            img_root: Folder that image paths are relative to.
            split: Which records to take; the key is the sample's name, common to all images of a record.
            source: Name of the annotation file, for messages.

        Raises:
            KeyError: If a record lacks one of the columns.
        """
        found: list[dict] = []
        for number, record in enumerate(records):
            self._require(record, number, source)
            images = _as_list(record[self.image])
            name = str(record[self.sample_id] if self.sample_id else images[0])
            if split.has(name):
                found.extend(self._entries(record, name, images, img_root))
        return found

    def _require(self, record: dict, number: int, source: str) -> None:
        for column in filter(None, (self.image, self.text, self.sample_id)):
            if column not in record:
                raise KeyError(
                    f'{source}: record {number} has no column {column!r}: name the right ones in `columns`, '
                    f'found {", ".join(map(str, record))}'
                )

    def _entries(self, record: dict, name: str, images: Sequence[str], img_root: Path) -> Iterator[dict]:
        texts = tuple('' if text is None else str(text) for text in _as_list(record[self.text]))
        captions = (' '.join(texts),) if self.join_texts else texts
        for position, image in enumerate(images):
            yield {
                'sample_id': f'{name}#{position}' if len(images) > 1 else name,
                'img_path': str(img_root / image),
                'image_id': image,
                'captions': captions,
            }


def _as_list(value: object) -> Sequence:
    return value if isinstance(value, (list, tuple)) else [value]
