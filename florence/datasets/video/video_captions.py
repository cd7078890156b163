"""Text-video retrieval: videos with the sentences that people wrote about them."""

from pathlib import Path

from florence.datasets.pair_dataset import PairDataset
from florence.datasets.video.action_lists import VIDEO_SUFFIXES
from florence.datasets.video.caption_lists import (
    Captions,
    only,
    read_caption_dict,
    read_didemo,
    read_msrvtt_csv,
    read_msrvtt_json,
    read_msvd,
    read_video_list,
    require_captions,
)
from florence.datasets.video.video_files import present_files, video_folder
from florence.registry import DATASETS

FILE_ENDINGS = {'json': '', 'msrvtt': '.mp4', 'msvd': '.avi', 'didemo': ''}


@DATASETS.register_module()
class VideoCaptions(PairDataset):
    """One sample per video: `filename`, `captions` (tuple of str), `caption_ids`, `sample_id`, `start_index` 0, `modality` 'RGB'.

    `OpenVideo`, `SampleClips` and `DecodeVideo` follow; in training also `PickCaption`, which draws `text`, one of the captions,
    each time the video is read. In training a broken video is replaced by another one, counted and named in the log; in
    `test_mode` it raises.

    Args:
        ann_file: Annotation, relative to `data_root`.
        layout: `'json'`, `{file: [captions]}`; `'msrvtt'`, the CSV file of the test set 1kA or the JSON file of the training set;
            `'msvd'`, `AllVideoDescriptions.txt`; `'didemo'`, where the sentences of a video become one paragraph.
        video_list: File of the videos to take, relative to `data_root`, see `read_video_list`; None = all.
        split: Split of MSR-VTT's JSON file; None = all.
        ending: Ending of the files, in place of that in the annotation; None = as the layout usually has it.
        max_captions: Keep the first so many captions of a video; None = all.
        on_missing: `'error'` refuses a set with missing files, `'leave_out'` names them and goes on.
        data_prefix: `dict(video=...)`: folder of the videos, relative to `data_root`.
        **kwargs: See `PairDataset`.

    Raises:
        FileNotFoundError: If the annotation, the folder or a video is missing.
        KeyError: If a field, a column or a split is unknown, or a listed video is not in the annotation.
        ValueError: If an argument is out of range, the file has another form, a video has no caption, or no video is found.
    """

    def __init__(
        self,
        ann_file: str,
        *,
        layout: str = 'json',
        video_list: str | None = None,
        split: str | None = None,
        ending: str | None = None,
        max_captions: int | None = None,
        on_missing: str = 'error',
        data_prefix: dict | None = None,
        **kwargs,
    ) -> None:
        if layout not in FILE_ENDINGS:
            raise ValueError(f'VideoCaptions: layout is one of {", ".join(FILE_ENDINGS)}, not {layout!r}')
        if split is not None and not (layout == 'msrvtt' and ann_file.endswith('.json')):
            raise ValueError(f"VideoCaptions: split belongs to MSR-VTT's JSON file, not to {ann_file}")
        if max_captions is not None and max_captions < 1:
            raise ValueError(f'VideoCaptions: max_captions must be 1 or more, or None = all, not {max_captions}')
        self.layout, self.video_list, self.split = layout, video_list, split
        self.ending = FILE_ENDINGS[layout] if ending is None else ending
        self.max_captions, self.on_missing = max_captions, on_missing
        super().__init__(ann_file, data_prefix=video_folder(data_prefix), **kwargs)

    def full_init(self) -> None:
        """Read the annotations, once.

        Raises:
            FileNotFoundError: If the annotation or the folder of the videos is missing.
            ValueError: If no video is found.
        """
        if self._fully_initialized:  # asked before each sample
            return
        if not self.img_root.is_dir():
            raise FileNotFoundError(f'VideoCaptions: no video folder at {self.img_root}')
        super().full_init()

    def load_data_list(self) -> list[dict]:
        """One entry per video, in the order of the annotation or of `video_list`."""
        captions = self._read()
        if self.video_list is not None:
            file = Path(self.data_root, self.video_list)
            if not file.is_file():
                raise FileNotFoundError(f'VideoCaptions: no list of videos at {file}')
            captions = only(captions, read_video_list(str(file)), self.ann_file)
        require_captions(captions, self.ann_file)
        samples = [self._sample(video, own[: self.max_captions]) for video, own in captions.items()]
        return present_files(samples, self.on_missing, self.name)

    def _read(self) -> Captions:
        match self.layout:
            case 'msvd':
                return read_msvd(self.ann_file)
            case 'didemo':
                return read_didemo(self.ann_file)
            case 'msrvtt' if self.ann_file.endswith('.csv'):
                return read_msrvtt_csv(self.ann_file)
            case 'msrvtt':
                return read_msrvtt_json(self.ann_file, self.split)
        return read_caption_dict(self.ann_file)

    def _sample(self, video: str, captions: list[str]) -> dict:
        path = Path(video)
        file = video
        if self.ending:
            file = (video[: -len(path.suffix)] if path.suffix.lower() in VIDEO_SUFFIXES else video) + self.ending
        return {
            'sample_id': video,
            'image_id': video,
            'filename': str(self.img_root / file),
            'captions': tuple(captions),
            'caption_ids': tuple(f'{video}#{number}' for number in range(len(captions))),
            'start_index': 0,
            'modality': 'RGB',
        }
