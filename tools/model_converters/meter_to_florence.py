"""Convert a checkpoint of METER's release (Swin image tower, RoBERTa) to `METERModel`, or back.

python tools/model_converters/meter_to_florence.py meter_swin_base.ckpt meter.pth --tokenizer roberta-base
python tools/model_converters/meter_to_florence.py meter_vqa.ckpt meter_vqa.pth --tokenizer roberta-base --answers answers.json
python tools/model_converters/meter_to_florence.py meter_vqa.pth meter_vqa.ckpt --reverse --task vqa

Our checkpoints carry their vocabulary and answers, METER's do not: name those it was trained with. A fine-tuned METER checkpoint
is a Lightning file with more than weights in it; unpickle one (--trust) only from a source you trust.
"""

import argparse
import sys
from pathlib import Path

from torch import Tensor

from florence.models.converters.checkpoint_file import read_state_dict, write_state_dict
from florence.models.converters.meter import HEADS, florence_to_meter, meter_to_florence
from florence.models.heads.answer_vocabulary_module import AnswerVocabularyModule
from florence.models.language import HFTokenizer, TokenizerModule


CLASSIFIER, WORDS = 'vqa_classifier.3.weight', 'text_transformer.embeddings.word_embeddings.weight'


def extra_states(tokenizer: str | None, answers: Path | None, state_dict: dict[str, Tensor]) -> dict:
    """What our checkpoints hold and METER's do not, of the sizes that its weights have."""
    has_answers = CLASSIFIER in state_dict
    if tokenizer is None:
        raise ValueError("name the checkpoint's tokenizer, a hub name or folder: --tokenizer roberta-base")
    if has_answers and answers is None:
        raise ValueError("name the file of the checkpoint's answers, in the order of its classifier: --answers FILE")
    words = HFTokenizer(tokenizer)
    num_rows = len(state_dict.get(WORDS, ()))
    if 0 < num_rows < words.vocab_size:
        raise ValueError(f'tokenizer {tokenizer} has {words.vocab_size} tokens, the checkpoint knows {num_rows}: name its own.')
    states = {'encoder.tokenizer._extra_state': TokenizerModule(words).get_extra_state()}
    if has_answers:
        known = AnswerVocabularyModule(answers)
        num_answers = len(state_dict[CLASSIFIER])
        if len(known.vocabulary) != num_answers:
            raise ValueError(f'{answers} has {len(known.vocabulary)} answers, the checkpoint gives {num_answers}: name its own.')
        states['head.answers._extra_state'] = known.get_extra_state()
    return states


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='IN', type=Path, help='.ckpt, .pth or .safetensors')
    parser.add_argument('target', metavar='OUT', type=Path, help='.ckpt, .pth or .safetensors')
    parser.add_argument('--tokenizer', help='hub name or folder of the tokenizer; METER uses roberta-base')
    parser.add_argument('--answers', type=Path, help='file of the answers of a VQA checkpoint')
    parser.add_argument('--trust', action='store_true', help='unpickle IN, which runs what its author wrote')
    parser.add_argument(
        '--reverse',
        action='store_true',
        help='from ours to METER; a training checkpoint is unpickled: only from a trusted source',
    )
    parser.add_argument('--task', choices=sorted(HEADS), help='with --reverse: task of a classifier')
    args = parser.parse_args(arguments)
    try:
        state_dict = read_state_dict(args.source, weights_only=not (args.reverse or args.trust))
        if args.reverse:
            result = florence_to_meter(state_dict, task=args.task)
        else:
            states = extra_states(args.tokenizer, args.answers, state_dict)
            result = meter_to_florence(state_dict, extra_states=states)
        write_state_dict(result, args.target, wrapper='state_dict')
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
