"""Real videos: exact decoding, sampling of clips, data sets of actions and of captions."""

from florence.datasets.video.action_clips import ActionClips
from florence.datasets.video.open_video import open_video
from florence.datasets.video.video_captions import VideoCaptions
from florence.datasets.video.video_reader import VideoReader

__all__ = ['ActionClips', 'VideoCaptions', 'VideoReader', 'open_video']
