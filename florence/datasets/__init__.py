"""Data sets, their transforms and samplers; importing this package registers all of them."""

from florence.datasets import digit_scenes, samplers, transforms
from florence.datasets.bad_samples import BadSample, BadSampleGuard, TooManyBadSamples
from florence.datasets.coco_captions import CocoCaptions
from florence.datasets.coco_detection import CocoDetection
from florence.datasets.flickr30k import Flickr30k
from florence.datasets.image_folder import ImageFolder
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.record_pairs import RecordPairs
from florence.datasets.stream_mixture import StreamMixture
from florence.datasets.visual_genome import VisualGenome
from florence.datasets.webdataset_pairs import WebDatasetPairs

__all__ = [
    'BadSample', 'BadSampleGuard', 'CocoCaptions', 'CocoDetection', 'Flickr30k', 'ImageFolder', 'PairDataset', 'RecordPairs',
    'StreamMixture', 'TooManyBadSamples', 'VisualGenome', 'WebDatasetPairs', 'digit_scenes', 'samplers',
    'transforms',
]  # fmt: skip
