"""Digit scenes, the embedded world: real handwritten digits in composed scenes, rendered on the fly, no download.

One scene knows everything about itself; each data set here is a thin view of the same scene for one task, in the sample format
of that task's real data sets.
"""

from florence.datasets.digit_scenes.captioning import DigitSceneCaptions
from florence.datasets.digit_scenes.classification import DigitSceneClassification
from florence.datasets.digit_scenes.clips_actions import DigitClipActions
from florence.datasets.digit_scenes.clips_pairs import DigitClipPairs
from florence.datasets.digit_scenes.detection import DigitSceneDetection
from florence.datasets.digit_scenes.pairs import DigitScenePairs
from florence.datasets.digit_scenes.records import DigitSceneRecords
from florence.datasets.digit_scenes.retrieval import DigitSceneRetrieval
from florence.datasets.digit_scenes.segmentation import DigitSceneSegmentation
from florence.datasets.digit_scenes.vqa import DigitSceneVQA

__all__ = [
    'DigitClipActions', 'DigitClipPairs', 'DigitSceneCaptions', 'DigitSceneClassification', 'DigitSceneDetection',
    'DigitScenePairs', 'DigitSceneRecords', 'DigitSceneRetrieval', 'DigitSceneSegmentation', 'DigitSceneVQA',
]  # fmt: skip
