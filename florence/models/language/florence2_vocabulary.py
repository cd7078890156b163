"""Vocabulary files of Florence-2's tokenizer: the byte-level BPE of BART, in any of the forms it is handed around in.

| files in the folder | what they are |
|---|---|
| `tokenizer.json` | of a Florence-2 or BART checkpoint |
| `vocab.json`, `merges.txt` | of a Florence-2 or BART checkpoint |
| `encoder.json`, `vocab.bpe`, `dict.txt` | GPT-2's files and fairseq's order of its ids, from which BART's ids follow |

Without `dict.txt`, GPT-2's own order is taken: a tokenizer that serves, but not for released weights.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from florence.models.language.clip_vocabulary import byte_symbols
from florence.tasks.florence2.tokens import ADDED_TOKENS
from florence.tasks.json_files import read_json_object

CONTROLS = ('<s>', '<pad>', '</s>', '<unk>')
MASK = '<mask>'
NUM_BASE_TOKENS = 50265
IMAGE_TOKEN = '<image>'


class Vocabulary(NamedTuple):
    """Tokens without the added ones, and the merges of pairs by rank."""

    ids: dict[str, int]
    merges: list[tuple[str, str]]


def load_vocabulary(path: str | Path) -> Vocabulary:
    """Read a folder with one of the sets of files above, or a `tokenizer.json`.

    Raises:
        FileNotFoundError: If the files are not there.
        ValueError: If a file does not hold what its name says.
        KeyError: If a field of a JSON file is missing.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    if path.is_file() or (path / 'tokenizer.json').is_file():
        vocabulary = _from_tokenizer_json(path if path.is_file() else path / 'tokenizer.json')
    elif (folder / 'vocab.json').is_file() and (folder / 'merges.txt').is_file():
        vocabulary = Vocabulary(read_json_object(folder / 'vocab.json'), _merges(folder / 'merges.txt'))
    elif path.is_dir() and (folder / 'encoder.json').is_file() and (folder / 'vocab.bpe').is_file():
        vocabulary = Vocabulary(_reordered(folder), _merges(folder / 'vocab.bpe'))
    else:
        raise FileNotFoundError(
            f'no vocabulary of Florence-2 at {path}: expected a tokenizer.json, or a folder with tokenizer.json, with vocab.json '
            'and merges.txt, or with encoder.json, vocab.bpe and dict.txt; copy those of the release there, or name their folder '
            'in model.tokenizer.vocabulary'
        )
    return _checked(vocabulary, path)


def _from_tokenizer_json(path: Path) -> Vocabulary:
    content = read_json_object(path, 'model')
    model = content['model']
    if not isinstance(model, dict) or model.get('type', 'BPE') != 'BPE' or not {'vocab', 'merges'} <= set(model):
        raise ValueError(f'{path} holds no byte-pair encoding: take the tokenizer.json of a Florence-2 or BART checkpoint')
    size = len(model['vocab'])
    added = {token['id']: token['content'] for token in content.get('added_tokens', ())}
    own = dict(enumerate((*ADDED_TOKENS, IMAGE_TOKEN), size))
    foreign = [token for number, token in added.items() if number >= size and own.get(number) != token]
    if foreign:
        raise ValueError(f'{path} adds the token {foreign[0]!r}, which is not in its place in Florence-2: take its own file')
    return Vocabulary(model['vocab'], [_pair(merge, path) for merge in model['merges']])


def _merges(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text('utf-8').split('\n')
    return [_pair(line, path) for line in lines[lines[0].startswith('#version') :] if line]


def _pair(merge: str | list[str], path: Path) -> tuple[str, str]:
    parts = merge.split(' ') if isinstance(merge, str) else merge
    if len(parts) != 2:
        raise ValueError(f'{path} has the merge {merge!r}, which is no pair of tokens')
    return parts[0], parts[1]


def _reordered(folder: Path) -> dict[str, int]:
    """GPT-2's tokens in fairseq's order, between the four control tokens and `<mask>`."""
    encoder = read_json_object(folder / 'encoder.json')
    tokens = {str(number): token for token, number in encoder.items()}
    order = list(tokens)
    if (folder / 'dict.txt').is_file():
        lines = (folder / 'dict.txt').read_text('utf-8').splitlines()
        order = [line.split(' ')[0] for line in lines[: NUM_BASE_TOKENS - len(CONTROLS) - 1]]
        unnamed = set(tokens) - set(order)
        if unnamed:
            raise ValueError(f"{folder / 'dict.txt'} lacks {len(unnamed)} of GPT-2's {len(tokens)} tokens: it is cut short")
    return {token: i for i, token in enumerate([*CONTROLS, *(tokens.get(number, number) for number in order), MASK])}


def _checked(vocabulary: Vocabulary, path: Path) -> Vocabulary:
    ids, merges = vocabulary
    if sorted(ids.values()) != list(range(len(ids))) or [ids.get(token) for token in CONTROLS] != list(range(len(CONTROLS))):
        raise ValueError(f'the vocabulary at {path} does not number its tokens from 0 without gaps, {", ".join(CONTROLS)} first')
    made = {first + second for first, second in merges}
    missing = (made | {part for merge in merges for part in merge} | set(byte_symbols())) - ids.keys()
    # Tokens beyond bytes and merges are marks such as `<s>`; fairseq fills up with `madeupword0000` and so on.
    unmade = [token for token in ids if len(token) > 1 and token not in made and not token.startswith(('<', 'madeupword'))]
    if missing or unmade:
        raise ValueError(
            f'the vocabulary at {path} and its merges do not belong together, or are cut short: {len(missing)} tokens are '
            f'missing and {len(unmade)} cannot be made, such as {[*sorted(missing), *unmade][0]!r}'
        )
    return vocabulary


def bytes_of_tokens(vocabulary: dict[str, int], new_tokens: Sequence[str]) -> dict[int, bytes]:
    """Id -> bytes; every byte has a printable stand-in, which is itself where it is printable.

    Args:
        vocabulary: Token -> id.
        new_tokens: Those in it that are spelt as they are, without stand-ins.
    """
    symbols = byte_symbols()
    printable = [ord(symbol) for symbol in symbols if ord(symbol) < 256]
    table = dict(zip(symbols, [*printable, *sorted(set(range(256)) - set(printable))], strict=True))
    spelt = {vocabulary[token]: token.encode() for token in new_tokens}
    return spelt | {
        number: bytes(table[symbol] for symbol in token) for token, number in vocabulary.items() if number not in spelt
    }
