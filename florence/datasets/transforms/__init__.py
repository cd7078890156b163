"""Pipeline steps, one idea per file. All of them work on one results dict:

| key | set by | meaning |
|---|---|---|
| `sample_id` | data set | name of the sample in messages, str |
| `img_path` or `img_bytes` | data set | where the image is, or the encoded file itself |
| `image_id` | data set | identity of the image, where the annotation has one |
| `text` or `captions` | data set | one description, or all, tuple of str; `PickCaption` draws one |
| `img_paths`, `imgs` | data set, `ForEachImage` | where the images of a sample with several are; these as `img` |
| `answers`, `answer_scores` | data set | what each annotator answered to the question `text`; what each answer is worth |
| `question_id`, `question_type`, `answer_type` | data set | identity and groups of a question, where the annotation has them |
| `caption_ids` | data set | ids that belong to `captions`, where the annotation has them |
| `gt_label`, `gt_labels` | data set | class index, int; or several, tuple of int |
| `classes`, `templates` | data set | all class names, tuple of str; name of the prompt-template set |
| `label` | data set | class of an action, int; `PackVideoText` names it `gt_label` |
| `filename`, `start_index`, `modality` | data set of videos | path of the video; number of its first frame, 0; 'RGB' |
| `video_reader`, `total_frames`, `avg_fps` | `OpenVideo` | the open video, its frames, frames per second |
| `frame_inds`, `clip_len`, `num_clips`, `frame_interval` | `SampleClips` | chosen frames, one clip after the other |
| `imgs`, `original_shape`, `img_shape`, `num_missing_frames` | `DecodeVideo` | `(H, W, 3)` uint8 RGB each; `(H, W)`; stand-ins |
| `img`, `ori_shape` | `LoadImage` | `(H, W, 3)` uint8 RGB; size of the file's image, `(H, W)` |
| `canvas_shape` | `ResizePad` | size of the padded input in pixels of the file, `(H, W)`, floats |
| `label` | `HashTextLabel` | identity of the text before any template, int in `[0, 2**63)` |
| `record` | data set, `AnnotationsToRecord` | what is known of an image, for Florence-2: texts, regions, triplets, questions |
| `task`, `prompt`, `target` | `DrawTasks` | tags, what is asked, what is to be answered, tuples of str |
| `task`, `prompt`, `references`, `truth` | `AskTask` | of each prompt: its tag, the right answers, the regions asked about |
| `is_templated` | `ExpandShortText` | whether a template changed `text` |

Randomness comes from Python's and numpy's global generators, which the training loader seeds before each sample from its place in
the training (`florence.loading`).
"""

from florence.datasets.transforms.annotations_to_record import AnnotationsToRecord
from florence.datasets.transforms.ask_task import AskTask
from florence.datasets.transforms.blank_image import BlankImage
from florence.datasets.transforms.decode_video import DecodeVideo
from florence.datasets.transforms.draw_tasks import DrawTasks
from florence.datasets.transforms.expand_short_text import ExpandShortText
from florence.datasets.transforms.for_each_image import ForEachImage
from florence.datasets.transforms.hash_text_label import HashTextLabel
from florence.datasets.transforms.load_image import LoadImage
from florence.datasets.transforms.open_video import OpenVideo
from florence.datasets.transforms.pack_attributes import PackAttributes
from florence.datasets.transforms.pack_image_text import PackImageText
from florence.datasets.transforms.pack_images import PackImages
from florence.datasets.transforms.pack_video_text import PackVideoText
from florence.datasets.transforms.pick_caption import PickCaption
from florence.datasets.transforms.rand_augment import RandAugment
from florence.datasets.transforms.rand_augment_clip import RandAugmentClip
from florence.datasets.transforms.random_flip import RandomFlip
from florence.datasets.transforms.random_resized_crop import RandomResizedCrop
from florence.datasets.transforms.repeat_frame import RepeatFrame
from florence.datasets.transforms.resize_center_crop import ResizeCenterCrop
from florence.datasets.transforms.resize_pad import ResizePad
from florence.datasets.transforms.resize_whole import ResizeWhole
from florence.datasets.transforms.sample_clips import SampleClips

__all__ = [
    'AnnotationsToRecord', 'AskTask', 'BlankImage', 'DecodeVideo', 'DrawTasks', 'ExpandShortText',
    'ForEachImage', 'HashTextLabel', 'LoadImage', 'OpenVideo', 'PackAttributes', 'PackImageText', 'PackImages',
    'PackVideoText', 'PickCaption', 'RandAugment', 'RandAugmentClip', 'RandomFlip', 'RandomResizedCrop',
    'RepeatFrame', 'ResizeCenterCrop', 'ResizePad', 'ResizeWhole', 'SampleClips',
]  # fmt: skip
