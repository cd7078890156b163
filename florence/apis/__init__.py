"""Inferencers and loading of models: what a notebook user imports."""

from florence.apis.detection_inferencer import DetectionInferencer
from florence.apis.retrieval import EmbeddedDataset, embed_dataset
from florence.apis.two_tower_inferencer import TwoTowerInferencer
from florence.apis.two_tower_loading import load_two_tower
from florence.apis.zero_shot_detection_inferencer import ZeroShotDetectionInferencer

__all__ = [
    'DetectionInferencer',
    'EmbeddedDataset',
    'TwoTowerInferencer',
    'ZeroShotDetectionInferencer',
    'embed_dataset',
    'load_two_tower',
]
