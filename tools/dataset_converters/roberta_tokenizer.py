"""Make RoBERTa's tokenizer from the files it was published with: a folder for `HFTokenizer`, with no download.

python tools/dataset_converters/roberta_tokenizer.py gpt2_bpe/encoder.json gpt2_bpe/vocab.bpe gpt2_bpe/dict.txt roberta-base

RoBERTa (arXiv 1907.11692) takes GPT-2's byte-level BPE (encoder.json: token -> GPT-2 id; vocab.bpe: merges), numbered by how
often tokens occur (dict.txt of fairseq: a GPT-2 id and its count a line): 0 to 3 are <s> <pad> </s> <unk>, the token of line i,
from 0, has id 4 + i, and <mask> is 50264. Lines beyond that are words that nothing is encoded to, which fill up BART's table.
"""

import argparse
import json
import sys
from pathlib import Path

SPECIAL_TOKENS = ('<s>', '<pad>', '</s>', '<unk>')
MASK, MASK_ID = '<mask>', 50264
FILLER = 'madeupword'


def roberta_vocabulary(encoder_file: Path, dict_file: Path) -> dict[str, int]:
    """Token -> id.

    Raises:
        ValueError: If the files do not fit each other.
    """
    try:
        encoder = json.loads(encoder_file.read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise ValueError(f'{encoder_file} is not encoder.json, which is JSON: {error}') from error
    token_of = {str(number): token for token, number in encoder.items()}
    vocabulary = {token: number for number, token in enumerate(SPECIAL_TOKENS)}
    names = [line.split(' ')[0] for line in dict_file.read_text(encoding='utf-8').splitlines()]
    room = MASK_ID - len(SPECIAL_TOKENS)
    wrong = [name for i, name in enumerate(names) if not name.startswith(FILLER) and (name not in token_of or i >= room)]
    if wrong or len(names) < room:
        raise ValueError(
            f'{dict_file} is not that of RoBERTa: expected {room} tokens of {encoder_file} or fillers, found {len(names)}, among '
            f'them {wrong[:1]} which has no place.'
        )
    vocabulary |= {token_of.get(name, name): len(SPECIAL_TOKENS) + i for i, name in enumerate(names[:room])}
    vocabulary[MASK] = MASK_ID
    return vocabulary


def read_merges(merges_file: Path, vocabulary: dict[str, int]) -> list[tuple[str, str]]:
    """Pairs of tokens that are joined, the first before the others.

    Raises:
        ValueError: If a token of the vocabulary comes from no merge, or a merge makes none.
    """
    lines = merges_file.read_text(encoding='utf-8').splitlines()[1:]  # the first tells the version
    merges = [(first, second) for first, _, second in (line.partition(' ') for line in lines if line)]
    made = {first + second for first, second in merges}
    others = {*SPECIAL_TOKENS, MASK, '<|endoftext|>'}
    joined = {token for token in vocabulary if len(token) > 1 and not token.startswith(FILLER)} - others
    if made != joined:
        raise ValueError(
            f'{merges_file} is not the vocab.bpe of this vocabulary: {len(joined - made)} of its tokens come from no merge, '
            f'{len(made - joined)} merges make none of them.'
        )
    return merges


def write_tokenizer(vocabulary: dict[str, int], merges: list[tuple[str, str]], folder: Path) -> None:
    """Write tokenizer.json and its configuration."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers, processors
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(('</s>', 2), ('<s>', 0), add_prefix_space=False)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token='<s>', cls_token='<s>', pad_token='<pad>', eos_token='</s>', sep_token='</s>',
        unk_token='<unk>', mask_token=AddedToken(MASK, lstrip=True, special=True),
    ).save_pretrained(folder)  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('encoder', metavar='ENCODER_JSON', type=Path)
    parser.add_argument('merges', metavar='VOCAB_BPE', type=Path)
    parser.add_argument('dict', metavar='DICT_TXT', type=Path)
    parser.add_argument('folder', metavar='FOLDER', type=Path)
    args = parser.parse_args(arguments)
    try:
        vocabulary = roberta_vocabulary(args.encoder, args.dict)
        merges = read_merges(args.merges, vocabulary)
        args.folder.mkdir(parents=True, exist_ok=True)
        write_tokenizer(vocabulary, merges, args.folder)
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')
    print(f'{len(vocabulary)} tokens in {args.folder}')


if __name__ == '__main__':
    main()
