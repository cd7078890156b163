"""What a clip of a digit scene is: frames that are digit scenes, in which one digit acts, sampled from (seed, index).

No single frame tells the action. Each quantity that an action changes (across, down, size, angle) runs along a path; opposite
actions run the same paths in opposite order, so that the frames of both, taken without their order, have the same distribution.
A quantity that stands still has the value of such a path at a random moment, so that a frame of a random moment looks alike in
all actions. What appears or disappears does so beside a digit that stays; a clip of another action shows a second digit, which
stands still, as often as such frames show two.

The order of frames does tell, as it must: a digit that moves right is farther left in the first frame than in the last.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from florence.datasets.digit_scenes.scans import digit_scans
from florence.datasets.digit_scenes.scene import GROUND_NAMES, DigitObject, DigitScene, SceneRecipe

# Action -> the quantity it changes, and whether its path rises. Images have y downwards, and positive angles turn clockwise.
ACTIONS = {
    'moves left': ('x', False),
    'moves right': ('x', True),
    'moves up': ('y', False),
    'moves down': ('y', True),
    'grows': ('log_side', True),
    'shrinks': ('log_side', False),
    'turns clockwise': ('angle', True),
    'turns counter-clockwise': ('angle', False),
    'appears': ('presence', True),
    'disappears': ('presence', False),
}
ACTION_NAMES = tuple(ACTIONS)
# Quantity -> lowest and highest value, shortest and longest path. Places and sides are shares of the image side, angles degrees.
PATHS = {
    'x': (0.22, 0.78, 0.25, 0.45),
    'y': (0.22, 0.78, 0.25, 0.45),
    'log_side': (math.log(0.28), math.log(0.58), math.log(1.45), math.log(2.0)),
    'angle': (-50.0, 50.0, 50.0, 90.0),
}
_QUANTITIES = tuple(PATHS)
_LOWEST, _HIGHEST, _SHORTEST, _LONGEST = np.array(list(PATHS.values())).T
_LOG_LARGE = math.log(0.4)  # a digit is called large from this share of the image side on
_MIN_GAP = 0.8  # distance of two digits over the sum of their half sides
_NUM_PLACEMENTS = 16
_SPLITS = ('train', 'test')
_CLIP_STREAM = 1  # keeps the random numbers of clip i apart from those of scene i


@dataclass(frozen=True)
class DigitClip:
    """Frames in order of time; `actor` does the action, `bystander`, where there is one, stands still.

    Both are as at the first moment; a frame in which a digit is absent does not have it among its objects.
    """

    frames: tuple[DigitScene, ...]
    action: str
    actor: DigitObject
    bystander: DigitObject | None

    @property
    def label(self) -> int:
        """Index of the action in `ACTION_NAMES`."""
        return ACTION_NAMES.index(self.action)


@dataclass(frozen=True)
class ClipRecipe:
    """Distribution of clips.

    Args:
        image_size: Side of the frames, pixels.
        num_frames: Length of the clip; the action takes the whole of it.
        frame_rate: Frames per second that the clip says it has.
        pairs: 'seen', 'unseen' or 'all' pairs of digit and colour.
        digits: Digits that clips show.

    Raises:
        ValueError: If there are less than two frames, or the frame rate is not positive, or `SceneRecipe` refuses the rest.
    """

    image_size: int = 32
    num_frames: int = 8
    frame_rate: float = 8.0
    pairs: str = 'seen'
    digits: tuple[int, ...] = tuple(range(10))

    def __post_init__(self) -> None:
        if self.num_frames < 2:
            raise ValueError(f'ClipRecipe: an action needs num_frames of 2 or more, got {self.num_frames}.')
        if not self.frame_rate > 0:
            raise ValueError(f'ClipRecipe: frame_rate must be positive, got {self.frame_rate}.')
        self.allowed_pairs()

    def allowed_pairs(self) -> list[tuple[int, str]]:
        """Pairs of digit and colour that clips of this recipe may show."""
        return SceneRecipe(self.image_size, pairs=self.pairs, digits=self.digits).allowed_pairs()


class ClipSampler:
    """Draws clip number `index`: the same clip for the same (seed, split, index) on every machine and in every process.

    Args:
        recipe: Distribution of clips.
        split: 'train' or 'test': which scans are shown.
        seed: Another seed gives other clips of the same distribution.

    Raises:
        ValueError: If the split is unknown.
    """

    def __init__(self, recipe: ClipRecipe, split: str, seed: int = 0) -> None:
        self.recipe, self.split, self.seed = recipe, split, seed
        self._num_scans = [len(scans) for scans in digit_scans(split)]
        self._pairs = recipe.allowed_pairs()

    def rng(self, index: int) -> np.random.Generator:
        """Random state of a clip, also used for the choice of its caption."""
        return np.random.default_rng((self.seed, _SPLITS.index(self.split), index, _CLIP_STREAM))

    def sample(self, rng: np.random.Generator) -> DigitClip:
        """Draw one clip."""
        action = ACTION_NAMES[rng.integers(len(ACTION_NAMES))]
        quantity, rises = ACTIONS[action]
        looks = self._draw_looks(rng)
        presence = np.ones(self.recipe.num_frames, dtype=bool)
        if quantity == 'presence':
            # The digit that stays is placed first, as the only one of a clip of another action is.
            bystander = self._draw_track(rng)
            actor = self._place_apart(rng, bystander)
            presence = np.arange(len(presence)) >= rng.integers(1, len(presence))
            presence = presence if rises else presence[::-1]
        else:
            actor = self._draw_track(rng, quantity, rises)
            bystander = self._place_apart(rng, actor) if rng.random() < 0.5 else None
        actors = self._objects(looks[0], actor)
        bystanders = [] if bystander is None else self._objects(looks[1], bystander)
        ground, shade = GROUND_NAMES[rng.integers(len(GROUND_NAMES))], rng.uniform(0.85, 1.0)
        actor_in_front = rng.random() < 0.5
        frames = []
        for time, present in enumerate(presence):
            objects = (*bystanders[time : time + 1], *([actors[time]] if present else []))
            objects = objects if actor_in_front else objects[::-1]
            frames.append(DigitScene(objects, ground, self.recipe.image_size, self.split, shade))
        return DigitClip(tuple(frames), action, actors[0], bystanders[0] if bystanders else None)

    def _draw_looks(self, rng: np.random.Generator) -> list[DigitObject]:
        """Two digits that differ in digit or colour, without place, side and angle."""
        first, second = (int(number) for number in rng.integers((len(self._pairs), len(self._pairs) - 1)))
        chosen = [self._pairs[first], self._pairs[second + (second >= first)]]
        return [
            DigitObject(digit, int(rng.integers(self._num_scans[digit])), color, '', (0.0, 0.0), 0.0, 0.0)
            for digit, color in chosen
        ]

    def _draw_track(self, rng: np.random.Generator, changing: str | None = None, rises: bool = True) -> np.ndarray:
        """The quantities of `PATHS` in each frame, `(num_frames, 4)`; all but `changing` stand still."""
        num_frames = self.recipe.num_frames
        track = np.tile(self._draw_stills(rng, 1), (num_frames, 1))
        if changing is not None:
            column = _QUANTITIES.index(changing)
            starts, lengths = _draw_paths(rng, 1)
            path = starts[0, column] + lengths[0, column] * np.linspace(0, 1, num_frames)
            track[:, column] = path if rises else path[::-1]
        return track

    def _draw_stills(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """States that paths reach at random moments, `(count, 4)`."""
        starts, lengths = _draw_paths(rng, count)
        last = self.recipe.num_frames - 1
        return starts + lengths * rng.integers(last + 1, size=starts.shape) / last

    def _place_apart(self, rng: np.random.Generator, other: np.ndarray) -> np.ndarray:
        """The track of a digit that stands still: the first of some that keeps clear of the other one, else the clearest."""
        stills = self._draw_stills(rng, _NUM_PLACEMENTS)
        apart = np.abs(stills[:, None, :2] - other[:, :2]).max(-1)  # (placements, num_frames)
        gaps = (2 * apart / (np.exp(stills[:, None, 2]) + np.exp(other[:, 2]))).min(1)
        chosen = np.argmax(np.minimum(gaps, _MIN_GAP))
        return np.tile(stills[chosen], (len(other), 1))

    def _objects(self, looks: DigitObject, track: np.ndarray) -> list[DigitObject]:
        size = self.recipe.image_size
        return [
            replace(
                looks,
                size='large' if log_side >= _LOG_LARGE else 'small',
                center=(x * size, y * size),
                side=math.exp(log_side) * size,
                angle=angle,
            )
            for x, y, log_side, angle in track.tolist()
        ]


def _draw_paths(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts and lengths of rising paths of each quantity, both `(count, 4)`."""
    shares = rng.random((2, count, len(PATHS)))
    lengths = _SHORTEST + (_LONGEST - _SHORTEST) * shares[0]
    return _LOWEST + (_HIGHEST - _LOWEST - lengths) * shares[1], lengths
