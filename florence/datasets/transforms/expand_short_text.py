"""Make a sentence of a one- or two-word description (Florence, arXiv 2111.11432, section 2.2).

The template is drawn anew on every read. The label stays that of the bare description, so that all images of
"dog" remain positives of each other. The paper gives no template list (ours: `florence.tasks.templates`).
"""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from florence.registry import TRANSFORMS
from florence.tasks.templates import fill_template, get_templates, is_short_text


@TRANSFORMS.register_module()
class ExpandShortText(BaseTransform):
    """Expand a `text` of few words by a random template and set `is_templated`.

    Args:
        max_words: Longest text that is expanded, words.
        templates: Name of a template set, or the templates themselves, each with one `{}`.

    Raises:
        KeyError: If there is no template set of that name.
        ValueError: If a template does not have exactly one gap, or there is none.
    """

    def __init__(self, max_words: int = 2, templates: str | Sequence[str] = 'expansion') -> None:
        self.max_words = max_words
        self.templates = get_templates(templates) if isinstance(templates, str) else tuple(templates)
        if not self.templates:
            raise ValueError('ExpandShortText needs at least one template')
        for template in self.templates:
            fill_template(template, '')

    @cache_randomness
    def _draw(self) -> int:
        return np.random.randint(len(self.templates))

    def transform(self, results: dict) -> dict:
        """Expand the text of one sample where it is short.

        Args:
            results: Has `text` and its `label`; the label is not touched.

        Raises:
            ValueError: If there is no `label` yet.
        """
        if 'label' not in results:
            raise ValueError(
                'ExpandShortText must stand after HashTextLabel in the pipeline: hashed after a template, '
                'equal descriptions would become negatives of each other'
            )
        results['is_templated'] = is_short_text(results['text'], self.max_words)
        if results['is_templated']:
            results['text'] = fill_template(self.templates[self._draw()], results['text'])
        return results
