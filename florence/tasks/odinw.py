"""The detection sets of ODinW (arXiv 2204.08790) and which of them Florence's Table 7 has (arXiv 2111.11432, section 3.6).

Folders, splits and class counts are those of GLIP's release (`configs/odinw_35/*.yaml`). Florence evaluates the `test` split of
eleven Roboflow sets, GLIP and its successors `valid` for most sets and a smaller `mini_val` for the large ones, so their figures
are not strictly comparable.
"""

from dataclasses import dataclass

GROUPS = ('florence11', 'odinw13', 'odinw35')
FEW_SHOT_SEEDS = (3, 30, 300)
FEW_SHOT_COUNTS = (1, 3, 5, 10)


@dataclass(frozen=True)
class OdinwSet:
    """One set.

    Attributes:
        name: Its name in results, as in mmdet's tables.
        folder: Folder below the root in GLIP's release.
        num_classes: Classes that have boxes.
        glip_split: Split that GLIP reports: 'valid' or 'mini_val'.
        test_split: Split that stands for 'test'.
        in_odinw13: Whether it is one of the thirteen sets.
        table7_title: Name in Florence's Table 7; None: not there.
        table7_images: Images of the whole set according to that table.
        placeholder_classes: Categories of the file without any box, left out of the class list.
    """

    name: str
    folder: str
    num_classes: int
    glip_split: str = 'valid'
    test_split: str = 'test'
    in_odinw13: bool = False
    table7_title: str | None = None
    table7_images: int | None = None
    placeholder_classes: tuple[str, ...] = ()


SETS = (
    OdinwSet('AerialMaritimeDrone_large', 'AerialMaritimeDrone/large', 5, in_odinw13=True),
    OdinwSet('AerialMaritimeDrone_tiled', 'AerialMaritimeDrone/tiled', 5),
    OdinwSet(
        'AmericanSignLanguageLetters', 'AmericanSignLanguageLetters/American Sign Language Letters.v1-v1.coco', 26
    ),
    OdinwSet(
        'Aquarium', 'Aquarium/Aquarium Combined.v2-raw-1024.coco', 7, in_odinw13=True,
        table7_title='Aquarium', table7_images=638,
    ),
    OdinwSet('BCCD', 'BCCD/BCCD.v3-raw.coco', 3, table7_title='BCCD', table7_images=364),
    OdinwSet('boggleBoards', 'boggleBoards/416x416AutoOrient/export', 36),
    OdinwSet('brackishUnderwater', 'brackishUnderwater/960x540', 6, glip_split='mini_val'),
    OdinwSet(
        'ChessPieces', 'ChessPieces/Chess Pieces.v23-raw.coco', 12, table7_title='Chess', table7_images=292,
        placeholder_classes=('bishop',),
    ),
    OdinwSet('CottontailRabbits', 'CottontailRabbits', 1, in_odinw13=True),
    OdinwSet('dice', 'dice/mediumColor/export', 6),
    OdinwSet('DroneControl', 'DroneControl/Drone Control.v3-raw.coco', 8, glip_split='mini_val'),
    OdinwSet('EgoHands_generic', 'EgoHands/generic', 1, glip_split='mini_val', in_odinw13=True),
    OdinwSet('EgoHands_specific', 'EgoHands/specific', 4, glip_split='mini_val'),
    OdinwSet('HardHatWorkers', 'HardHatWorkers/raw', 3),
    OdinwSet('MaskWearing', 'MaskWearing/raw', 2, table7_title='Mask', table7_images=149),
    OdinwSet('MountainDewCommercial', 'MountainDewCommercial', 1),
    OdinwSet(
        'NorthAmericaMushrooms', 'NorthAmericaMushrooms/North American Mushrooms.v1-416x416.coco', 2, in_odinw13=True
    ),
    OdinwSet('openPoetryVision', 'openPoetryVision/512x512', 43, glip_split='mini_val'),
    OdinwSet(
        'OxfordPets_by_breed', 'OxfordPets/by-breed', 37, glip_split='mini_val', table7_title='Pets', table7_images=3680
    ),
    OdinwSet('OxfordPets_by_species', 'OxfordPets/by-species', 2, glip_split='mini_val'),
    OdinwSet('PKLot', 'PKLot/640', 2, glip_split='mini_val', table7_title='PKLot', table7_images=12416),
    OdinwSet('Packages', 'Packages/Raw', 1, in_odinw13=True, table7_title='Packages', table7_images=26),
    OdinwSet('PascalVOC', 'PascalVOC', 20, test_split='valid', in_odinw13=True),
    OdinwSet('pistols', 'pistols/export', 1, in_odinw13=True, table7_title='Pistols', table7_images=2986),
    OdinwSet('plantdoc', 'plantdoc/416x416', 30),
    OdinwSet('pothole', 'pothole', 1, in_odinw13=True, table7_title='Pothole', table7_images=665),
    OdinwSet('Raccoon', 'Raccoon/Raccoon.v2-raw.coco', 1, in_odinw13=True),
    OdinwSet('selfdrivingCar', 'selfdrivingCar/fixedLarge/export', 11),
    OdinwSet('ShellfishOpenImages', 'ShellfishOpenImages/raw', 3, in_odinw13=True),
    OdinwSet('ThermalCheetah', 'ThermalCheetah', 2),
    OdinwSet(
        'thermalDogsAndPeople', 'thermalDogsAndPeople', 2, in_odinw13=True, table7_title='Thermal', table7_images=203
    ),
    OdinwSet('UnoCards', 'UnoCards/raw', 15, glip_split='mini_val'),
    OdinwSet('VehiclesOpenImages', 'VehiclesOpenImages/416x416', 5, glip_split='mini_val', in_odinw13=True),
    OdinwSet('WildfireSmoke', 'WildfireSmoke', 1, table7_title='Wildfire', table7_images=737),
    OdinwSet('websiteScreenshots', 'websiteScreenshots', 8, glip_split='mini_val'),
)  # fmt: skip


def sets_of(group: str) -> tuple[OdinwSet, ...]:
    """The sets of a group.

    Args:
        group: 'florence11', 'odinw13' or 'odinw35'.

    Raises:
        KeyError: If there is no such group.
    """
    if group == 'florence11':
        return tuple(each for each in SETS if each.table7_title)
    if group == 'odinw13':
        return tuple(each for each in SETS if each.in_odinw13)
    if group == 'odinw35':
        return SETS
    raise KeyError(f'no group of sets named {group!r}; known: {", ".join(GROUPS)}.')
