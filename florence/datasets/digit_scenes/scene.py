"""What a digit scene is: objects with digit, colour, size, place and depth on a ground, sampled from (seed, index).

A scene knows everything about itself, so that one generator serves every task with exact ground truth. Some pairs of digit and
colour never occur in training scenes: they test whether a model composes what it learned apart.
"""

from dataclasses import dataclass

import numpy as np

from florence.datasets.digit_scenes.scans import digit_scans

DIGIT_NAMES = ('zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine')
# Every colour is brighter than every ground, as chalk on a board is: shape is then told apart from colour early in training.
COLORS = {
    'red': (250, 70, 60),
    'orange': (255, 150, 30),
    'yellow': (250, 235, 70),
    'green': (70, 205, 90),
    'cyan': (60, 220, 230),
    'blue': (95, 140, 255),
    'purple': (185, 100, 240),
    'white': (245, 245, 245),
}
GROUNDS = {'black': (10, 10, 10), 'grey': (72, 72, 72), 'brown': (76, 44, 22), 'navy': (18, 26, 84)}
COLOR_NAMES, GROUND_NAMES = tuple(COLORS), tuple(GROUNDS)
SIZE_NAMES = ('small', 'large')
# Side of the scan as a share of the image side, smallest and largest.
SIZE_RANGES = {'small': (0.42, 0.52), 'large': (0.62, 0.8)}
SIZE_RANGES_CROWDED = {'small': (0.3, 0.36), 'large': (0.46, 0.54)}
# Two colours of ten digits: each digit and each colour is seen in training, these pairs are not.
UNSEEN_PAIRS = frozenset((digit, COLOR_NAMES[(digit + shift) % len(COLOR_NAMES)]) for digit in range(10) for shift in (0, 3))

_SPLIT_SEEDS = {'train': 0, 'test': 1}
_MAX_PLACEMENTS = 20


@dataclass(frozen=True)
class DigitObject:
    """One digit: the scan shown, its colour name, size name, centre and side in pixels, and rotation in degrees."""

    digit: int
    scan: int
    color: str
    size: str
    center: tuple[float, float]
    side: float
    angle: float


@dataclass(frozen=True)
class DigitScene:
    """A square image of `image_size` pixels; `objects` from far to near: a later one covers an earlier one."""

    objects: tuple[DigitObject, ...]
    ground: str
    image_size: int
    split: str
    shade: float  # brightness of the whole scene, about 1


@dataclass(frozen=True)
class SceneRecipe:
    """Distribution of scenes.

    Args:
        image_size: Side of the image, pixels.
        num_objects_probs: Probability of 1, 2, ... objects.
        pairs: 'seen', 'unseen' or 'all' pairs of digit and colour.
        digits: Digits that scenes show.
        max_overlap: Largest distance violation of two objects, as a share of the sum of their half sides: 0 keeps the boxes
            apart, 1 lets them coincide.
        max_angle: Largest rotation, degrees.
        object_scale: Factor of the size of every digit.

    Raises:
        ValueError: If `pairs` or a digit is unknown, no digit is left, or the probabilities do not sum to 1.
    """

    image_size: int = 32
    num_objects_probs: tuple[float, ...] = (0.9, 0.1)
    pairs: str = 'seen'
    digits: tuple[int, ...] = tuple(range(10))
    max_overlap: float = 0.15
    max_angle: float = 12.0
    object_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.pairs not in ('seen', 'unseen', 'all'):
            raise ValueError(f"SceneRecipe: pairs must be 'seen', 'unseen' or 'all', got {self.pairs!r}.")
        if not self.digits or not set(self.digits) <= set(range(10)):
            raise ValueError(f'SceneRecipe: digits must be some of 0 to 9, got {self.digits}.')
        if abs(sum(self.num_objects_probs) - 1) > 1e-6:
            raise ValueError(f'SceneRecipe: num_objects_probs must sum to 1, got {self.num_objects_probs}.')

    def allowed_pairs(self) -> list[tuple[int, str]]:
        """Pairs of digit and colour that scenes of this recipe may show."""
        everything = [(digit, color) for digit in sorted(set(self.digits)) for color in COLOR_NAMES]
        if self.pairs == 'all':
            return everything
        return [pair for pair in everything if (pair in UNSEEN_PAIRS) == (self.pairs == 'unseen')]


class SceneSampler:
    """Draws scene number `index`: the same scene for the same (seed, split, index) on every machine and in every process.

    Args:
        recipe: Distribution of scenes.
        split: 'train' or 'test': which scans are shown.
        seed: Another seed gives other scenes of the same distribution.
    """

    def __init__(self, recipe: SceneRecipe, split: str, seed: int = 0) -> None:
        self.recipe, self.split, self.seed = recipe, split, seed
        self._num_scans = [len(scans) for scans in digit_scans(split)]
        self._pairs = recipe.allowed_pairs()
        self._count_edges = np.cumsum(recipe.num_objects_probs)

    def rng(self, index: int) -> np.random.Generator:
        """Random state of a scene, also used for the choice of its caption."""
        return np.random.default_rng((self.seed, _SPLIT_SEEDS[self.split], index))

    def sample(self, rng: np.random.Generator) -> DigitScene:
        """Draw one scene."""
        count = min(int(np.searchsorted(self._count_edges, rng.random(), side='right')) + 1, len(self._count_edges))
        objects: list[DigitObject] = []
        for _ in range(count):
            objects.append(self._draw_object(rng, count, objects))
        ground = GROUND_NAMES[rng.integers(len(GROUND_NAMES))]
        return DigitScene(tuple(objects), ground, self.recipe.image_size, self.split, shade=rng.uniform(0.85, 1.0))

    def _draw_object(self, rng: np.random.Generator, count: int, others: list[DigitObject]) -> DigitObject:
        digit, color = self._pairs[rng.integers(len(self._pairs))]
        size = SIZE_NAMES[rng.integers(2)]
        low, high = (SIZE_RANGES if count == 1 else SIZE_RANGES_CROWDED)[size]
        side = rng.uniform(low, high) * self.recipe.image_size * self.recipe.object_scale
        return DigitObject(
            digit=digit,
            scan=int(rng.integers(self._num_scans[digit])),
            color=color,
            size=size,
            center=self._place(rng, side, others),
            side=side,
            angle=rng.uniform(-self.recipe.max_angle, self.recipe.max_angle),
        )

    def _place(self, rng: np.random.Generator, side: float, others: list[DigitObject]) -> tuple[float, float]:
        """The first of some random centres that keeps clear of the other objects, else the clearest of them."""
        best, best_gap = (0.0, 0.0), -np.inf
        for _ in range(_MAX_PLACEMENTS):
            x, y = rng.uniform(side / 2, self.recipe.image_size - side / 2, size=2)
            gap = min(
                (max(abs(x - other.center[0]), abs(y - other.center[1])) / ((side + other.side) / 2) for other in others),
                default=np.inf,
            )
            if gap > best_gap:
                best, best_gap = (float(x), float(y)), gap
            if gap >= 1 - self.recipe.max_overlap:
                break
        return best
