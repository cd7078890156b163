"""FLOD-9M (Florence, arXiv 2111.11432, section 2.4): COCO, LVIS, OpenImages and Objects365 as one set, and pseudo boxes on
ImageNet.

The paper gives the sizes (8,967,286 images, 25,190 categories, 33,408,237 boxes) and no more; how names are merged and what
counts as a negative are our decisions.
"""
