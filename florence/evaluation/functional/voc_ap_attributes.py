"""Which attributes of a detection count, as VinVL's scene_graph_benchmark selects them before the evaluation.

Source: `attribute_head/inference.py`. The attribute scores above a threshold stay (0.05 in the published configuration), of these
the 16 highest of each box. The limit of 100 pairs an image that stands between the two counts the scores below the threshold
as well, so that it takes effect only where most scores lie above; it is kept so, because published figures rest on it. Our scores
have no column for "no attribute", which the official ones have, always 0.
"""

import numpy as np


def select_attributes(
    scores: np.ndarray, threshold: float = 0.05, max_per_image: int = 100, max_per_box: int = 16
) -> tuple[np.ndarray, np.ndarray]:
    """The (box, attribute) pairs of one image that are evaluated, in order of the boxes.

    Args:
        scores: Probability of each attribute for each box, `(N, A)`.
        threshold: A score must exceed it.
        max_per_image: The limit described above.
        max_per_box: Attributes of a box that are kept.

    Returns:
        Box indices and attribute indices, `(P,)` each.
    """
    kept = np.where(scores > threshold, scores, 0)
    # The official column for "no attribute" adds one zero a box to those that are counted.
    rank = np.count_nonzero(kept) - max_per_image - len(scores)
    if rank > 0:
        kept = np.where(kept >= np.partition(kept, rank, axis=None)[rank], kept, 0)
    if scores.shape[1] > max_per_box:
        ranked = np.argsort(-kept, axis=1, kind='stable')
        np.put_along_axis(kept, ranked[:, max_per_box:], 0, axis=1)
    return np.nonzero(kept)
