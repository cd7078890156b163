"""The tokenizer as a part of the model, so that a checkpoint knows what its token ids mean."""

import json

import torch
from torch import Tensor, nn

from florence.models.language.base_tokenizer import BaseTokenizer


class TokenizerModule(nn.Module):
    """Holds a tokenizer; its state travels in the model's state dict as a tensor of JSON bytes.

    A tensor, because `torch.load(weights_only=True)` accepts it and weight-moving code passes it through. A
    trained vocabulary is stored whole; a fixed one by its fingerprint only.

    Args:
        tokenizer: Any tokenizer of `florence.registry.TOKENIZERS`.
    """

    def __init__(self, tokenizer: BaseTokenizer) -> None:
        super().__init__()
        self.tokenizer = tokenizer

    def encode(self, texts: list[str]) -> dict[str, Tensor]:
        """`input_ids` and `attention_mask`, `(B, L)` int64, on the CPU."""
        return self.tokenizer(texts)

    def get_extra_state(self) -> Tensor:
        """JSON bytes of the tokenizer's state, `(n,)` uint8."""
        return torch.tensor(list(json.dumps(self.tokenizer.state()).encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Load or check the state.

        Raises:
            ValueError: If the checkpoint was made with another tokenizer.
        """
        self.tokenizer.load_state(json.loads(bytes(state.cpu().tolist())))
