"""Data sets, their transforms and samplers; importing this package registers all of them."""

from florence.datasets import digit_scenes, samplers, transforms
from florence.datasets.bad_samples import BadSample, BadSampleGuard, TooManyBadSamples
from florence.datasets.coco_captions import CocoCaptions
from florence.datasets.coco_detection import CocoDetection
from florence.datasets.downloaded_pairs import DownloadedPairs
from florence.datasets.easy_vqa import EasyVQA
from florence.datasets.flickr30k import Flickr30k
from florence.datasets.flickr30k_entities import Flickr30kEntities
from florence.datasets.gqa import GQA
from florence.datasets.image_folder import ImageFolder
from florence.datasets.image_records import ImageRecords
from florence.datasets.nlvr import NLVR
from florence.datasets.nlvr2 import NLVR2
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.record_pairs import RecordPairs
from florence.datasets.refcoco import RefCOCO
from florence.datasets.snli_ve import SNLIVE
from florence.datasets.stream_mixture import StreamMixture
from florence.datasets.textcaps import TextCaps
from florence.datasets.video import ActionClips, VideoCaptions
from florence.datasets.visual_genome import VisualGenome
from florence.datasets.visual_genome_captions import VisualGenomeCaptions
from florence.datasets.visual_genome_qa import VisualGenomeQA
from florence.datasets.vqa_records import VQARecords
from florence.datasets.vqa_v2 import VQAv2
from florence.datasets.webdataset_pairs import WebDatasetPairs

__all__ = [
    'ActionClips', 'BadSample', 'BadSampleGuard', 'CocoCaptions', 'CocoDetection', 'DownloadedPairs', 'EasyVQA', 'Flickr30k',
    'Flickr30kEntities', 'GQA', 'ImageFolder', 'ImageRecords', 'NLVR', 'NLVR2', 'PairDataset', 'RecordPairs', 'RefCOCO', 'SNLIVE',
    'StreamMixture', 'TextCaps', 'TooManyBadSamples', 'VQARecords', 'VQAv2', 'VideoCaptions', 'VisualGenome',
    'VisualGenomeCaptions', 'VisualGenomeQA', 'WebDatasetPairs', 'digit_scenes', 'samplers', 'transforms',
]  # fmt: skip
