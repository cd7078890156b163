"""Metrics: plain functions, mmengine metrics around them, and writers of result tables."""

from florence.evaluation.metrics import ImageTextRetrieval, MultiLabelAP, ZeroShotAccuracy

__all__ = ['ImageTextRetrieval', 'MultiLabelAP', 'ZeroShotAccuracy']
