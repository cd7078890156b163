"""Florence-2 (arXiv 2311.06242): every task as text in, text with location tokens out."""
