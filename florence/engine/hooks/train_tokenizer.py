"""Trains the model's tokenizer on the training captions before the first iteration."""

from collections.abc import Iterator, Sequence

import torch.distributed as dist
from mmengine.dist import get_rank, is_distributed
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from florence.registry import HOOKS
from florence.tasks.templates import EXPANSION_TEMPLATES


def captions_of(dataset) -> Iterator[str]:
    """Texts of a training set through wrappers such as `ConcatDataset`, without loading images.

    Raises:
        ValueError: If a data set cannot list its texts.
    """
    if hasattr(dataset, 'captions'):
        yield from dataset.captions()
    elif hasattr(dataset, 'datasets'):
        for part in dataset.datasets:
            yield from captions_of(part)
    elif hasattr(dataset, 'dataset'):
        yield from captions_of(dataset.dataset)
    else:
        raise ValueError(
            f'{type(dataset).__name__} has no method captions() that lists its texts: give it one, or use a tokenizer with a '
            'ready vocabulary, such as CLIPTokenizer.'
        )


@HOOKS.register_module()
class TrainTokenizerHook(Hook):
    """Train a tokenizer that has no vocabulary yet; one that came with a checkpoint is left as it is.

    Rank 0 reads the captions and shares the vocabulary, so that all ranks agree. The words of the expansion templates are learned
    too, each template once.

    Args:
        more_texts: Further texts to learn words from, those of tasks that will start from this model.
    """

    priority = 'VERY_HIGH'

    def __init__(self, more_texts: Sequence[str] = ()) -> None:
        self.more_texts = tuple(more_texts)

    def before_train(self, runner) -> None:
        """Train if needed; runs after weights were loaded."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        tokenizer = model.tokenizer.tokenizer
        if getattr(tokenizer, 'is_trained', True):
            return
        state = [None]
        if get_rank() == 0:
            texts = list(captions_of(runner.train_dataloader.dataset))
            tokenizer.train([*texts, *self.more_texts, *(template.replace('{}', ' ') for template in EXPANSION_TEMPLATES)])
            state = [tokenizer.state()]
            runner.logger.info(
                f'trained {type(tokenizer).__name__} with {len(tokenizer.vocabulary())} tokens on {len(texts)} captions'
            )
        if is_distributed():
            dist.broadcast_object_list(state)
            tokenizer.load_state(state[0])
