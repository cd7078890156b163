"""In which lists of candidates a pair of an image and a text is, as bits of one number: written by models, read by metrics."""

OF_IMAGE, OF_TEXT = 1, 2
"""The text is among the image's candidates; the image is among the text's."""
