"""Text-video retrieval and zero-shot classification of clips."""

from florence.models.video.video_two_tower import VideoTwoTower

__all__ = ['VideoTwoTower']
