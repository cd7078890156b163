"""Recall and ranks of text-video retrieval in both directions (Florence, arXiv 2111.11432, section 3.8).

Differs from the evaluation of CLIP4Clip and of mmaction2 in: a tie earns nothing, where theirs count a tied query several times.
"""

from florence.evaluation.metrics.image_text_retrieval import ImageTextRetrieval
from florence.registry import METRICS

WORDS = {'i2t': 'v2t', 't2i': 't2v', 'median_rank': 'MdR', 'mean_rank': 'MnR'}


@METRICS.register_module()
class VideoTextRetrieval(ImageTextRetrieval):
    """`ImageTextRetrieval` under the names of the field: `t2v_R@<k>` and `v2t_R@<k>` in percent; the median ranks `t2v_MdR`
    and `v2t_MdR` and the mean ones `t2v_MnR` and `v2t_MnR` (1 = best); `mean_R`.

    Each caption of a video is a query of its own; a video finds its text if it finds any of its captions.

    Args:
        arguments: As of `ImageTextRetrieval`, whose images are videos. MSR-VTT's protocol knows one right caption:
            `same_text_is_positive=False`.
    """

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Figures of the whole data set.

        Raises:
            ValueError: If there are fewer videos than the largest k, or a video occurs twice.
        """
        return {_renamed(name): value for name, value in super().compute_metrics(results).items()}


def _renamed(name: str) -> str:
    for image, video in WORDS.items():
        name = name.replace(image, video)
    return name
