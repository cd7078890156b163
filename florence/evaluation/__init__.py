"""Metrics: plain functions, mmengine metrics around them, and writers of result tables."""

from florence.evaluation.metrics import (
    CocoDetectionMetric,
    ImageTextRetrieval,
    LVISDetectionMetric,
    MultiLabelAP,
    VisualGenomeMetric,
    ZeroShotAccuracy,
)

__all__ = [
    'CocoDetectionMetric',
    'ImageTextRetrieval',
    'LVISDetectionMetric',
    'MultiLabelAP',
    'VisualGenomeMetric',
    'ZeroShotAccuracy',
]
