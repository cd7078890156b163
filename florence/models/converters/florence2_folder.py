"""A trained `Florence2` as the folder that Microsoft's code or `transformers` load: the files of a release around our weights."""

import json
import shutil
from pathlib import Path

from florence.atomic_files import atomic_folder
from florence.models.converters.checkpoint_file import write_state_dict
from florence.models.converters.florence2 import TOKENIZER, WORDS, florence_to_florence2
from florence.models.converters.florence2_config import florence2_settings
from florence.models.converters.renaming import StateDict
from florence.models.language import Florence2Tokenizer
from florence.tasks.json_files import read_json_object

WEIGHTS = {'microsoft': 'pytorch_model.bin', 'transformers': 'model.safetensors'}
COPIED = {'.json', '.txt', '.bpe', '.jinja', '.py'}


def write_florence2_folder(state_dict: StateDict, fmt: str, release: Path, target: Path) -> None:
    """Write the folder; it appears when all is written.

    Args:
        state_dict: Weights of a `Florence2`, with the state of its tokenizer.
        fmt: 'microsoft' or 'transformers'.
        release: Folder of that form with `config.json` and the files of tokenizer and processor, which are copied.
        target: New folder.

    Raises:
        FileExistsError: If there is something at `target`.
        FileNotFoundError: If `release` lacks `config.json` or the vocabulary.
        ValueError: If the model or its vocabulary is not the release's.
    """
    config = read_json_object(release / 'config.json')
    settings = florence2_settings(config)
    form = 'transformers' if 'embed_dim' in config['vision_config'] else 'microsoft'
    if form != fmt:
        raise ValueError(f'{release} has the form of {form}: give --reverse {form}, or a folder of the form of {fmt}.')
    _require_size(state_dict, settings, release)
    _require_vocabulary(state_dict, release)
    weights = florence_to_florence2(state_dict, fmt, num_rows=config['text_config']['vocab_size'])
    with atomic_folder(target) as folder:
        write_state_dict(weights, folder / WEIGHTS[fmt])
        for path in sorted(release.iterdir()):
            if path.suffix in COPIED and not path.name.endswith('.index.json'):
                shutil.copy(path, folder / path.name)


def _require_size(state_dict: StateDict, settings: dict, release: Path) -> None:
    language = settings['language_model']
    wanted = {
        WORDS: (1, language['arch']['embed_dims']),
        'language_model.model.encoder.embed_positions.weight': (0, language['max_positions'] + 2),  # BART's table starts at 2
        'projector.image_projection.weight': (1, settings['vision_tower']['arch']['embed_dims'][-1]),
    }
    for name, (axis, size) in wanted.items():
        found = state_dict[name].shape[axis] if name in state_dict else 'nothing'
        if found != size:
            raise ValueError(f'the checkpoint is not of the size of {release}: {name} has {found}, its config.json wants {size}.')


def _require_vocabulary(state_dict: StateDict, release: Path) -> None:
    if TOKENIZER not in state_dict:
        raise ValueError(f'the checkpoint does not say which vocabulary it has ({TOKENIZER}): give one of a training.')
    state = json.loads(bytes(state_dict[TOKENIZER].tolist()))
    if state.get('new_tokens'):
        raise ValueError(
            f'the checkpoint has tokens of its own, {state["new_tokens"]}, the files of {release} do not: write a weight file, '
            "and add them to the other library's tokenizer (`add_tokens`)."
        )
    if state.get('trained') is not None:
        raise ValueError(f'the checkpoint has a vocabulary learned in training, {release} has that of the release.')
    Florence2Tokenizer(release).load_state(state)
