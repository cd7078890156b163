"""Inferencers and loading of models: what a notebook user imports."""

from florence.apis.action_inferencer import ActionInferencer
from florence.apis.caption_inferencer import CaptionInferencer
from florence.apis.detection_inferencer import DetectionInferencer
from florence.apis.florence2_inferencer import Florence2Inferencer
from florence.apis.fused_retrieval_inferencer import FusedRetrievalInferencer
from florence.apis.meter_loading import load_meter
from florence.apis.retrieval import EmbeddedDataset, embed_dataset
from florence.apis.two_tower_inferencer import TwoTowerInferencer
from florence.apis.two_tower_loading import load_two_tower
from florence.apis.video_retrieval_inferencer import VideoRetrievalInferencer
from florence.apis.vqa_inferencer import VQAInferencer
from florence.apis.zero_shot_detection_inferencer import ZeroShotDetectionInferencer
from florence.export.florence2_onnx import Florence2Onnx

__all__ = [
    'ActionInferencer',
    'CaptionInferencer',
    'DetectionInferencer',
    'EmbeddedDataset',
    'Florence2Inferencer',
    'Florence2Onnx',
    'FusedRetrievalInferencer',
    'TwoTowerInferencer',
    'VQAInferencer',
    'VideoRetrievalInferencer',
    'ZeroShotDetectionInferencer',
    'embed_dataset',
    'load_meter',
    'load_two_tower',
]
