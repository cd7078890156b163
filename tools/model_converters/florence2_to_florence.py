"""Convert a checkpoint of Florence-2, Microsoft's or of transformers, to `Florence2`, or back.

python tools/model_converters/florence2_to_florence.py base/pytorch_model.bin florence2-base.pth --vocabulary base
python tools/model_converters/florence2_to_florence.py florence2-base.pth pytorch_model.bin --reverse microsoft
python tools/model_converters/florence2_to_florence.py florence2-base.pth folder/ --reverse transformers --release base

Our checkpoints know their vocabulary, theirs do not: name the folder with the tokenizer of the checkpoint, whose vocabulary is
checked. Where a config.json lies beside IN, the arguments of `Florence2` that fit it are printed. With --release OUT is a folder
that `from_pretrained` loads: our weights with the configuration, tokenizer and processor of that one; without it a weight file.
"""

import argparse
import json
import sys
from pathlib import Path

from florence.models.converters.checkpoint_file import read_state_dict, write_state_dict
from florence.models.converters.florence2 import FORMATS, florence2_to_florence, florence_to_florence2
from florence.models.converters.florence2_config import florence2_settings
from florence.models.converters.florence2_folder import write_florence2_folder
from florence.models.language import Florence2Tokenizer, TokenizerModule
from florence.user_errors import USER_ERRORS, in_words


def converted(source: Path, vocabulary: Path | None) -> dict:
    """Our state dict."""
    if vocabulary is None:
        raise ValueError('name the folder with the tokenizer of the checkpoint: --vocabulary FOLDER')
    words = Florence2Tokenizer(vocabulary)
    words.check_released()
    states = {'tokenizer._extra_state': TokenizerModule(words).get_extra_state()}
    return florence2_to_florence(read_state_dict(source), words.vocab_size, extra_states=states)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='IN', type=Path, help='.bin, .pth or .safetensors')
    parser.add_argument('target', metavar='OUT', type=Path, help='.bin, .pth or .safetensors; with --release a folder')
    parser.add_argument('--vocabulary', type=Path, help='folder or file of the tokenizer')
    parser.add_argument(
        '--reverse',
        choices=FORMATS,
        help='from ours to this form; a training checkpoint is unpickled: only from a trusted source',
    )
    parser.add_argument('--release', type=Path, metavar='FOLDER', help='with --reverse: the release that was trained on')
    parser.add_argument('--rows', type=int, help='with --reverse: rows of the table of words, 51328 in files of transformers')
    args = parser.parse_args(arguments)
    if args.release and not args.reverse:
        parser.error('--release belongs to --reverse: it says what the folder is made of.')
    try:
        if args.reverse:
            state_dict = read_state_dict(args.source, weights_only=False)
            if args.release:
                write_florence2_folder(state_dict, args.reverse, args.release, args.target)
                return
            result = florence_to_florence2(state_dict, args.reverse, num_rows=args.rows)
        else:
            result = converted(args.source, args.vocabulary)
            config = args.source.parent / 'config.json'
            if config.is_file():
                print(json.dumps(florence2_settings(json.loads(config.read_text()))))
        write_state_dict(result, args.target)
    except USER_ERRORS as error:
        sys.exit(in_words(error))


if __name__ == '__main__':
    main()
