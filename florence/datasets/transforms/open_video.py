"""First step of a video pipeline: open the file and say how many frames it has."""

from mmcv.transforms import BaseTransform

from florence.datasets.video.open_video import open_video, require_backend
from florence.registry import TRANSFORMS


@TRANSFORMS.register_module()
class OpenVideo(BaseTransform):
    """Sets `total_frames`, `avg_fps` and `video_reader`, which `DecodeVideo` takes out again.

    Args:
        backend: `'pyav'`, `'decord'`, `'opencv'` or `'torchcodec'`; see `florence.datasets.video.open_video`.
        num_threads: Threads of the decoder; a data loader's workers want one each.

    Raises:
        KeyError: If the backend is unknown.
    """

    def __init__(self, backend: str = 'pyav', *, num_threads: int = 1) -> None:
        require_backend(backend)
        self.backend, self.num_threads = backend, num_threads

    def transform(self, results: dict) -> dict:
        """Open one video.

        Args:
            results: Has `filename`, path of the video.

        Raises:
            BadSample: If the file is missing, no video, or holds no frame; a `ValueError` that names it.
            ImportError: If the backend's package is not installed.
        """
        reader = open_video(results['filename'], self.backend, self.num_threads)
        results['video_reader'] = reader
        results['total_frames'] = reader.num_frames
        results['avg_fps'] = reader.frame_rate
        results.setdefault('start_index', 0)
        results.setdefault('modality', 'RGB')
        return results
