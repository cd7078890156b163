"""Where CLIP's BPE merges come from: a file, the installed open_clip package, or the Hugging Face hub.

The vocabulary follows from the merges: 256 byte symbols, the same with `</w>`, one token per merge, two
special tokens.
"""

import gzip
import importlib.util
import json
from pathlib import Path

NUM_MERGES = 49152 - 256 - 2
START, END = '<start_of_text>', '<end_of_text>'
WORD_END = '</w>'
HUB_REPOSITORY = 'openai/clip-vit-base-patch32'


def load_merges(vocab_file: str | Path | None = None) -> list[tuple[str, str]]:
    """CLIP's 48,894 merges in order of rank.

    Args:
        vocab_file: `bpe_simple_vocab_16e6.txt.gz`, a `merges.txt`, a `tokenizer.json`, or a folder with one
            of the last two. None looks in the installed open_clip package, then on the Hugging Face hub.

    Raises:
        FileNotFoundError: If there is no such file, or nothing was found.
        ValueError: If the file does not hold CLIP's merges.
    """
    path = _find(vocab_file)
    if path.suffix == '.json':
        merges = json.loads(path.read_text('utf-8')).get('model', {}).get('merges', [])
        parts = [merge.split() if isinstance(merge, str) else merge for merge in merges]
    else:
        raw = path.read_bytes()
        lines = (gzip.decompress(raw) if path.suffix == '.gz' else raw).decode('utf-8').split('\n')
        # The first line is a version mark; OpenAI's file goes on far beyond the merges CLIP was trained with.
        parts = [line.split() for line in lines[1 : NUM_MERGES + 1]]
    if len(parts) != NUM_MERGES or any(len(part) != 2 for part in parts):
        raise ValueError(f"{path} does not hold the {NUM_MERGES} merges of CLIP: take CLIP's own vocabulary file")
    return [(first, second) for first, second in parts]


def vocabulary_of(merges: list[tuple[str, str]], byte_symbols: list[str]) -> dict[str, int]:
    """Token -> id, in CLIP's order.

    Args:
        merges: From `load_merges`.
        byte_symbols: The 256 printable stand-ins for bytes, printable bytes first.
    """
    tokens = byte_symbols + [symbol + WORD_END for symbol in byte_symbols] + [a + b for a, b in merges] + [START, END]
    return {token: i for i, token in enumerate(tokens)}


def byte_symbols() -> list[str]:
    """GPT-2's printable stand-ins for the 256 byte values, in CLIP's order: printable Latin-1 first."""
    printable = [*range(ord('!'), ord('~') + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    num_rest = 256 - len(printable)
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(num_rest)]


def _find(vocab_file: str | Path | None) -> Path:
    if vocab_file is not None:
        return _local(Path(vocab_file))
    spec = importlib.util.find_spec('open_clip')
    if spec is not None and spec.submodule_search_locations:
        path = Path(spec.submodule_search_locations[0]) / 'bpe_simple_vocab_16e6.txt.gz'
        if path.is_file():
            return path
    return _from_hub()


def _local(path: Path) -> Path:
    if path.is_file():
        return path
    for name in ('tokenizer.json', 'merges.txt'):
        if (path / name).is_file():
            return path / name
    raise FileNotFoundError(
        f'no CLIP vocabulary at {path}: expected bpe_simple_vocab_16e6.txt.gz, merges.txt, tokenizer.json or '
        'a folder with one of the last two'
    )


def _from_hub() -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(HUB_REPOSITORY, 'merges.txt'))
    except Exception as error:  # the hub client raises many kinds; all of them mean the same to the user
        raise FileNotFoundError(
            f'no CLIP vocabulary: open_clip is not installed and {HUB_REPOSITORY} cannot be fetched '
            f'({type(error).__name__}); pass vocab_file=bpe_simple_vocab_16e6.txt.gz or install '
            'open_clip_torch'
        ) from error
