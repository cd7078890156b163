"""Detectors of our own, built around other packages' heads."""

from florence.models.detectors.attribute_detector import AttributeDetector
from florence.models.detectors.crop_region_encoder import CropRegionEncoder
from florence.models.detectors.roi_region_encoder import RoIRegionEncoder
from florence.models.detectors.score_fusion import ScoreFusion
from florence.models.detectors.test_time_augmentation import DetectionTTA
from florence.models.detectors.vocabulary_detector import VocabularyDetector
from florence.models.detectors.zero_shot_detector import ZeroShotDetector

__all__ = [
    'AttributeDetector',
    'CropRegionEncoder',
    'DetectionTTA',
    'RoIRegionEncoder',
    'ScoreFusion',
    'VocabularyDetector',
    'ZeroShotDetector',
]
