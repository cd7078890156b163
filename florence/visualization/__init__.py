"""Pictures of runs and results; matplotlib is imported when something is drawn."""

from florence.visualization.answers import AnsweredImage, draw_answer_sheet
from florence.visualization.attention import AttendedImage, draw_attention_sheet
from florence.visualization.captions import CaptionedImage, draw_caption_sheet
from florence.visualization.class_colors import class_colors
from florence.visualization.classification_sheet import ClassifiedImage, draw_classification_sheet
from florence.visualization.curves import draw_loss_curve
from florence.visualization.detections import BoxSet, DetectionPanel, draw_boxes, draw_detection_sheet
from florence.visualization.film_strips import ClassifiedClip, draw_film_strips, film_grid
from florence.visualization.gallery import FoundImage, FoundText, ImageQuery, TextQuery, draw_retrieval_gallery
from florence.visualization.log_records import read_log_records
from florence.visualization.retrieval_queries import search_images, search_texts

__all__ = [
    'AnsweredImage',
    'AttendedImage',
    'BoxSet',
    'CaptionedImage',
    'ClassifiedClip',
    'ClassifiedImage',
    'DetectionPanel',
    'FoundImage',
    'FoundText',
    'ImageQuery',
    'TextQuery',
    'class_colors',
    'draw_answer_sheet',
    'draw_attention_sheet',
    'draw_boxes',
    'draw_caption_sheet',
    'draw_classification_sheet',
    'draw_detection_sheet',
    'draw_film_strips',
    'draw_loss_curve',
    'draw_retrieval_gallery',
    'film_grid',
    'read_log_records',
    'search_images',
    'search_texts',
]
