"""Florence-2: every vision task as text (arXiv 2311.06242)."""

from florence.models.florence2.florence2 import Florence2

__all__ = ['Florence2']
