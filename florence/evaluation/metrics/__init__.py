"""mmengine metrics; each stores one result per sample, so that those of all ranks can be put in order."""

from florence.evaluation.metrics.action_results import ActionResults
from florence.evaluation.metrics.caption_scores import CaptionScores
from florence.evaluation.metrics.coco_detection import CocoDetectionMetric
from florence.evaluation.metrics.fused_retrieval import FusedRetrieval
from florence.evaluation.metrics.image_text_retrieval import ImageTextRetrieval
from florence.evaluation.metrics.label_accuracy import LabelAccuracy
from florence.evaluation.metrics.lvis_detection import LVISDetectionMetric
from florence.evaluation.metrics.multi_label_ap import MultiLabelAP
from florence.evaluation.metrics.pretrain import PretrainMetric
from florence.evaluation.metrics.segmentation_iou import SegmentationIoU
from florence.evaluation.metrics.task_answers import TaskAnswers
from florence.evaluation.metrics.video_text_retrieval import VideoTextRetrieval
from florence.evaluation.metrics.visual_genome import VisualGenomeMetric
from florence.evaluation.metrics.vqa_accuracy import VQAAccuracy
from florence.evaluation.metrics.zero_shot_accuracy import ZeroShotAccuracy

__all__ = [
    'ActionResults',
    'CaptionScores',
    'CocoDetectionMetric',
    'FusedRetrieval',
    'ImageTextRetrieval',
    'LVISDetectionMetric',
    'LabelAccuracy',
    'MultiLabelAP',
    'PretrainMetric',
    'SegmentationIoU',
    'TaskAnswers',
    'VQAAccuracy',
    'VideoTextRetrieval',
    'VisualGenomeMetric',
    'ZeroShotAccuracy',
]
