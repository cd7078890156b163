"""What the metrics of image-text retrieval report, and what they refuse."""

from collections.abc import Sequence

from florence.evaluation.functional.rank_counting import RetrievalRanks
from florence.evaluation.functional.retrieval import mean_rank, median_rank, recall_at_k


def recall_figures(folds: Sequence[RetrievalRanks], ks: Sequence[int]) -> dict[str, float]:
    """`i2t_R@<k>` and `t2i_R@<k>` in percent, averaged over folds.

    Args:
        folds: Ranks within each fold; one for the whole set.
        ks: The values of k.
    """
    recalls = {}
    for direction, attribute in (('i2t', 'image_to_text'), ('t2i', 'text_to_image')):
        of_folds = [recall_at_k(getattr(fold, attribute), ks) for fold in folds]
        for k in ks:
            recalls[f'{direction}_R@{k}'] = sum(recall[k] for recall in of_folds) / len(of_folds)
    return recalls


def whole_figures(ranks: RetrievalRanks, ks: Sequence[int]) -> dict[str, float]:
    """Recalls of the whole set, their mean `mean_R`, and the median and mean ranks.

    Args:
        ranks: Of all queries.
        ks: The values of k.
    """
    figures = recall_figures([ranks], ks)
    figures['mean_R'] = sum(figures.values()) / len(figures)
    for direction, own in (('i2t', ranks.image_to_text), ('t2i', ranks.text_to_image)):
        figures[f'{direction}_median_rank'], figures[f'{direction}_mean_rank'] = median_rank(own), mean_rank(own)
    return figures


def check_ks(ks: Sequence[int]) -> tuple[int, ...]:
    """The values of k.

    Raises:
        ValueError: If there is none, or one is no whole number from 1 on.
    """
    if not isinstance(ks, Sequence) or not ks or not all(isinstance(k, int) and k >= 1 for k in ks):
        raise ValueError(f'ks must be a list of whole numbers from 1 on, got {ks!r}.')
    return tuple(ks)


def check_fold_size(fold_size: int | None) -> int | None:
    """Images per fold; None = no folds.

    Raises:
        ValueError: If it is no whole number from 1 on.
    """
    if fold_size is not None and (not isinstance(fold_size, int) or fold_size < 1):
        raise ValueError(f'fold_size must be a whole number from 1 on, or None for no folds, got {fold_size!r}.')
    return fold_size


def check_images(
    metric: object,
    ids: Sequence[str | None],
    captions: Sequence[tuple[str, ...]],
    ks: Sequence[int],
    fold_size: int | None,
) -> None:
    """Refuse sets whose figures would mean nothing.

    Args:
        metric: Who asks, for the message.
        ids, captions: Of each image.
        ks: The values of k.
        fold_size: Images per fold; None = no folds.

    Raises:
        ValueError: If there are fewer images than the largest k, or one occurs twice.
    """
    name = type(metric).__name__
    candidates = min(len(captions), fold_size or len(captions))
    if candidates < max(ks):
        raise ValueError(
            f'R@{max(ks)} among {candidates} images means nothing: set ks of {name} to smaller numbers or evaluate on more '
            'images.'
        )
    seen = set()
    for key in zip(ids, captions, strict=True):
        if key[0] is not None and key in seen:
            raise ValueError(
                f'sample {key[0]!r} occurs twice, so each copy would compete with the other: give every image to the '
                'evaluation once (a sampler that covers the data set, distinct sample ids).'
            )
        seen.add(key)
