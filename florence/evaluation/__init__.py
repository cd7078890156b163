"""Metrics: plain functions, mmengine metrics around them, and writers of result tables."""

from florence.evaluation.metrics import (
    CaptionScores,
    CocoDetectionMetric,
    FusedRetrieval,
    ImageTextRetrieval,
    LabelAccuracy,
    LVISDetectionMetric,
    MultiLabelAP,
    VisualGenomeMetric,
    VQAAccuracy,
    ZeroShotAccuracy,
)

__all__ = [
    'CaptionScores',
    'CocoDetectionMetric',
    'FusedRetrieval',
    'ImageTextRetrieval',
    'LVISDetectionMetric',
    'LabelAccuracy',
    'MultiLabelAP',
    'VQAAccuracy',
    'VisualGenomeMetric',
    'ZeroShotAccuracy',
]
