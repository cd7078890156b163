"""Zero-shot classifier: class names x prompt templates -> one embedding per class (CLIP, arXiv 2103.00020, section 3.1.4).

The embedding of a class is the normalised mean of the normalised embeddings of its prompts. Building it is expensive for large
vocabularies (1,000 classes x 80 templates), so it is done in large batches of distinct prompts sorted by length, and kept until
the weights change.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from florence.tasks.templates import class_prompts

EncodeText = Callable[[Sequence[str]], Tensor]


def build_class_embeddings(encode_text: EncodeText, classes: Sequence[str], templates: str, batch_size: int = 1024) -> Tensor:
    """One L2-normalised embedding per class, `(C, D)` fp32.

    Args:
        encode_text: Texts to L2-normalised embeddings `(N, D)`.
        classes: Class names.
        templates: Name of a set of `florence.tasks.templates`.
        batch_size: Prompts encoded at a time.

    Raises:
        ValueError: If there is no class, or a class name is empty.
    """
    if not classes or any(not name.strip() for name in classes):
        raise ValueError(f'zero-shot classification needs class names that are not empty, got {list(classes)[:5]}.')
    prompts = [class_prompts(name, templates) for name in classes]
    # Equal lengths side by side: a batch is padded to its longest prompt.
    distinct = sorted({prompt for group in prompts for prompt in group}, key=lambda prompt: (len(prompt), prompt))
    position = {prompt: index for index, prompt in enumerate(distinct)}
    blocks = [encode_text(distinct[start : start + batch_size]).float() for start in range(0, len(distinct), batch_size)]
    embeds = torch.cat(blocks)  # (distinct prompts, D)
    index = torch.tensor([[position[prompt] for prompt in group] for group in prompts], device=embeds.device)
    return F.normalize(embeds[index].mean(1), dim=-1)  # (C, templates, D) -> (C, D)


class ClassEmbeddingCache:
    """Keeps classifiers by (classes, templates) until `clear`."""

    def __init__(self) -> None:
        self._embeds: dict[tuple[tuple[str, ...], str], Tensor] = {}

    def get(self, encode_text: EncodeText, classes: tuple[str, ...], templates: str) -> Tensor:
        """The class embeddings, built on the first call."""
        key = (classes, templates)
        if key not in self._embeds:
            self._embeds[key] = build_class_embeddings(encode_text, classes, templates)
        return self._embeds[key]

    def clear(self) -> None:
        """Forget everything: the weights have changed."""
        self._embeds.clear()
