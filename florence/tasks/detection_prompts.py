"""What the text tower reads for a class of a detection set: names in files are often abbreviations or codes.

A prompt set has an id that results record, because figures with different prompts cannot be compared:

| id | prompts |
|---|---|
| `file` | the names as they stand in the annotation file |
| `readable` | ours: words instead of codes; written from the sets' descriptions, not tuned on any figure |
| `glip` | GLIP's `CAPTION_PROMPT` and renamed categories (configs/odinw_35), elsewhere the names in the file |
"""

from collections.abc import Sequence

PROMPT_SETS = ('file', 'readable', 'glip')

_GLIP: dict[str, dict[str, str]] = {
    'Aquarium': {
        'penguin': 'penguin, which is black and white',
        'puffin': 'puffin with orange beaks',
        'stingray': 'stingray which is flat and round',
    },
    'CottontailRabbits': {'Cottontail-Rabbit': 'rabbit'},
    'EgoHands_generic': {'hand': 'hand of a person'},
    'Packages': {'package': 'there is a package on the porch'},
    'pothole': {'pothole': 'there are some holes on the road'},
}

_READABLE: dict[str, dict[str, str]] = {
    'AerialMaritimeDrone_large': {'jetski': 'jet ski', 'lift': 'boat lift'},
    'AerialMaritimeDrone_tiled': {'jetski': 'jet ski', 'lift': 'boat lift'},
    'BCCD': {'Platelets': 'platelet', 'RBC': 'red blood cell', 'WBC': 'white blood cell'},
    'EgoHands_generic': {'hand': 'hand of a person'},
    'EgoHands_specific': {
        'myleft': 'my own left hand',
        'myright': 'my own right hand',
        'yourleft': 'left hand of another person',
        'yourright': 'right hand of another person',
    },
    'HardHatWorkers': {'head': 'head without a helmet', 'helmet': 'head with a safety helmet'},
    'MaskWearing': {'mask': 'face with a mask', 'no-mask': 'face without a mask'},
    'PKLot': {'space-empty': 'empty parking space', 'space-occupied': 'parking space with a car'},
    'PascalVOC': {
        'aeroplane': 'airplane',
        'diningtable': 'dining table',
        'motorbike': 'motorcycle',
        'pottedplant': 'potted plant',
        'tvmonitor': 'tv monitor',
    },
    'ThermalCheetah': {'human': 'person'},
    'WildfireSmoke': {'smoke': 'smoke of a wildfire'},
    'selfdrivingCar': {
        'biker': 'person on a bicycle',
        'trafficLight': 'traffic light',
        'trafficLight-Green': 'green traffic light',
        'trafficLight-GreenLeft': 'traffic light with a green arrow to the left',
        'trafficLight-Red': 'red traffic light',
        'trafficLight-RedLeft': 'traffic light with a red arrow to the left',
        'trafficLight-Yellow': 'yellow traffic light',
        'trafficLight-YellowLeft': 'traffic light with a yellow arrow to the left',
    },
}

_READABLE_FORMS = {
    'AmericanSignLanguageLetters': 'hand that signs the letter {}',
    'ChessPieces': '{} of a chess game',
    'UnoCards': 'uno card {}',
    'boggleBoards': 'letter {}',
    'dice': 'die that shows {}',
    'openPoetryVision': 'text in the font {}',
    'websiteScreenshots': '{} on a web page',
}


def detection_prompts(set_name: str, classes: Sequence[str], prompt_set: str) -> dict[str, str]:
    """Text of each class whose text is not its name.

    Args:
        set_name: Name of the set, as in `florence.tasks.odinw`; a set without entries of its own is fine.
        classes: Class names of the annotation file.
        prompt_set: 'file', 'readable' or 'glip'.

    Raises:
        KeyError: If there is no such prompt set.
    """
    if prompt_set not in PROMPT_SETS:
        raise KeyError(f'no prompt set named {prompt_set!r}; known: {", ".join(PROMPT_SETS)}.')
    if prompt_set == 'file':
        return {}
    if prompt_set == 'glip':
        own = _GLIP.get(set_name, {})
        return {name: own[name] for name in classes if name in own}
    prompts = {name: _readable(set_name, name) for name in classes}
    return {name: prompt for name, prompt in prompts.items() if prompt != name}


def _readable(set_name: str, name: str) -> str:
    own = _READABLE.get(set_name, {})
    if name in own:
        return own[name]
    if set_name == 'OxfordPets_by_breed' and '-' in name:
        species, _, breed = name.partition('-')
        return f'{_words(breed)}, a breed of {species}'
    return _READABLE_FORMS.get(set_name, '{}').replace('{}', _words(name))


def _words(name: str) -> str:
    """`small_fish` and `takeoff-hand` as words."""
    return ' '.join(name.replace('_', ' ').replace('-', ' ').split())
