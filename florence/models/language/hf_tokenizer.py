"""Any tokenizer of the `transformers` library behind the package's tokenizer protocol."""

from collections.abc import Iterable, Sequence

from torch import Tensor

from florence.models.language.base_tokenizer import BaseTokenizer, as_ids
from florence.registry import TOKENIZERS


@TOKENIZERS.register_module()
class HFTokenizer(BaseTokenizer):
    """A `transformers.AutoTokenizer`.

    A text ends with the token that the tokenizer itself ends texts with (`[SEP]`, `</s>`); where it adds
    none, as GPT-2 does, its end-of-sequence token is added, because the text tower pools there.

    Args:
        name_or_path: Name on the Hugging Face hub or local folder.
        context_length: Largest number of tokens of a text, special tokens included.

    Raises:
        FileNotFoundError: If there is no such tokenizer, here or on the hub.
        ValueError: If the tokenizer has no end token.
    """

    def __init__(self, name_or_path: str, context_length: int = 76) -> None:
        super().__init__(context_length)
        from transformers import AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(name_or_path)
        except (OSError, ValueError) as error:
            raise FileNotFoundError(
                f'no tokenizer {name_or_path!r} in a local folder or on the Hugging Face hub: '
                'give the name of a hub repository, or a folder that holds tokenizer.json'
            ) from error
        self._special_ids = frozenset(self._tokenizer.all_special_ids)
        probe = self._tokenizer('a')['input_ids']
        self._ends_texts = probe[-1] in self._special_ids
        end = probe[-1] if self._ends_texts else self._tokenizer.eos_token_id
        if end is None:
            raise ValueError(f'tokenizer {name_or_path!r} has no end token: set its eos_token and save it again')
        self._eot_id: int = end
        self._sot_id: int | None = probe[0] if probe[0] in self._special_ids else None

    @property
    def vocab_size(self) -> int:
        return len(self._tokenizer)

    @property
    def pad_id(self) -> int:
        pad = self._tokenizer.pad_token_id
        return self._eot_id if pad is None else pad

    @property
    def sot_id(self) -> int | None:
        return self._sot_id

    @property
    def eot_id(self) -> int:
        return self._eot_id

    @property
    def mask_id(self) -> int | None:
        return self._tokenizer.mask_token_id

    @property
    def special_ids(self) -> frozenset[int]:
        return self._special_ids

    def vocabulary(self) -> dict[str, int]:
        return self._tokenizer.get_vocab()

    def decode(self, ids: Iterable[int] | Tensor) -> str:
        return str(self._tokenizer.decode(as_ids(ids), skip_special_tokens=True)).strip()

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        # verbose=False: the library warns of texts beyond the model's length; cutting is counted and said
        # here.
        sequences = self._tokenizer(list(texts), truncation=False, padding=False, verbose=False)['input_ids']
        return sequences if self._ends_texts else [[*ids, self._eot_id] for ids in sequences]
