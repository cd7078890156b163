"""Pictures of runs and results; matplotlib is imported when something is drawn."""

from florence.visualization.classification_sheet import ClassifiedImage, draw_classification_sheet
from florence.visualization.curves import draw_loss_curve
from florence.visualization.gallery import FoundImage, FoundText, ImageQuery, TextQuery, draw_retrieval_gallery
from florence.visualization.log_records import read_log_records
from florence.visualization.retrieval_queries import search_images, search_texts

__all__ = [
    'ClassifiedImage',
    'FoundImage',
    'FoundText',
    'ImageQuery',
    'TextQuery',
    'draw_classification_sheet',
    'draw_loss_curve',
    'draw_retrieval_gallery',
    'read_log_records',
    'search_images',
    'search_texts',
]
