"""Give a pair its label: the identity of its description (Florence, arXiv 2111.11432, section 2.2)."""

from mmcv.transforms import BaseTransform

from florence.registry import TRANSFORMS
from florence.tasks.text_hash import NORMALIZATIONS, text_label


@TRANSFORMS.register_module()
class HashTextLabel(BaseTransform):
    """Set `label` to the 63-bit hash of `text`; stands before `ExpandShortText`.

    Args:
        normalize: What counts as the same text: `'none'` (identical strings, as in the paper), `'strip'`,
            `'casefold'`.

    Raises:
        ValueError: If `normalize` is unknown.
    """

    def __init__(self, normalize: str = 'none') -> None:
        if normalize not in NORMALIZATIONS:
            raise ValueError(f'normalize must be one of {", ".join(NORMALIZATIONS)}, not {normalize!r}')
        self.normalize = normalize

    def transform(self, results: dict) -> dict:
        """Label one sample.

        Args:
            results: Has `text`, str.

        Raises:
            ValueError: If there is no `text` yet, or a template has already changed it.
        """
        if 'text' not in results:
            raise ValueError(
                f'HashTextLabel: sample {results["sample_id"]!r} has no text; where an image has several '
                'captions, PickCaption must stand before it in the pipeline'
            )
        if results.get('is_templated'):
            raise ValueError('HashTextLabel must stand before ExpandShortText: the label is that of the text as written')
        results['label'] = text_label(results['text'], self.normalize)
        return results
