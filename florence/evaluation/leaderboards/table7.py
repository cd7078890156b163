"""Published figures of Florence's Table 7 (arXiv 2111.11432, section 3.6): box AP in percent on eleven test splits."""

from dataclasses import dataclass

SOURCE = 'arXiv 2111.11432, Table 7 (test splits)'
PUBLISHED_SHOTS = 5


@dataclass(frozen=True)
class Table7Row:
    """Box AP in percent on one set.

    Attributes:
        florence: Florence, zero-shot.
        zsd: The paper's baseline, DyHead with BERT pretrained on Objects365, zero-shot.
        full: DyHead with Swin-L, fine-tuned on all training images.
        five_shot: The same, on five images of each class.
    """

    florence: float
    zsd: float
    full: float
    five_shot: float


TABLE7 = {
    'Aquarium': Table7Row(florence=43.1, zsd=16.0, full=53.1, five_shot=39.0),
    'BCCD': Table7Row(florence=15.3, zsd=1.2, full=62.6, five_shot=40.6),
    'ChessPieces': Table7Row(florence=13.4, zsd=0.1, full=80.7, five_shot=57.3),
    'MaskWearing': Table7Row(florence=15.0, zsd=0.6, full=52.0, five_shot=26.8),
    'OxfordPets_by_breed': Table7Row(florence=68.9, zsd=0.3, full=85.9, five_shot=47.5),
    'Packages': Table7Row(florence=79.6, zsd=58.3, full=52.0, five_shot=32.8),
    'pistols': Table7Row(florence=41.4, zsd=31.5, full=74.4, five_shot=20.0),
    'PKLot': Table7Row(florence=31.4, zsd=0.2, full=98.0, five_shot=22.1),
    'pothole': Table7Row(florence=53.3, zsd=2.4, full=61.8, five_shot=10.8),
    'thermalDogsAndPeople': Table7Row(florence=46.9, zsd=37.4, full=75.9, five_shot=54.9),
    'WildfireSmoke': Table7Row(florence=48.7, zsd=0.002, full=58.7, five_shot=14.2),
}
"""By the names of `florence.tasks.odinw`."""


def published(set_name: str, mode: str, shots: int | None = None) -> float | None:
    """The paper's figure beside which ours stands: Florence's for zero-shot, DyHead's for training; None = none.

    Args:
        set_name: Name of the set.
        mode: 'zero-shot', 'full' or 'few-shot'.
        shots: Images of each class for 'few-shot'; the paper has five only.
    """
    row = TABLE7.get(set_name)
    if row is None or (mode == 'few-shot' and shots != PUBLISHED_SHOTS):
        return None
    return {'zero-shot': row.florence, 'full': row.full, 'few-shot': row.five_shot}[mode]
