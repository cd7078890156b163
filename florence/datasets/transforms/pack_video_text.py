"""Last step of a pipeline of clips with texts or class names."""

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from florence.datasets.transforms.pack_image_text import PackImageText
from florence.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackVideoText(BaseTransform):
    """Pack one sample for `florence.VideoTwoTower`.

    Fields and metainfo are those of `PackImageText`, with the path of the video as `filename`. A sample with neither text nor
    captions has its class in `label`, as the data sets of actions name it: it is packed as `gt_label`.

    Args:
        templates: Set of prompt templates for samples with `classes`; None = that of the data set, or the model's own choice.
        pad_to: A clip of fewer frames is filled up to so many with its last one; `num_frames` of the sample says how many are its
            own. None = as many as there are.

    Raises:
        ValueError: If `pad_to` is below 1.
    """

    def __init__(self, templates: str | None = None, *, pad_to: int | None = None) -> None:
        if pad_to is not None and pad_to < 1:
            raise ValueError(f'PackVideoText: pad_to must be 1 or more, got {pad_to}.')
        self.templates, self.pad_to = templates, pad_to
        self.pack = PackImageText()

    def transform(self, results: dict) -> dict:
        """Pack one sample.

        Args:
            results: `imgs` holds `(H, W, 3)` uint8 RGB frames of one size: of a clip, or of several views of `clip_len` frames
                each, one view after the other.

        Returns:
            `inputs`: uint8 tensor `(3, T, H, W)`, or `(V, 3, T, H, W)` where there are V > 1 views; `data_samples`:
            `ImageTextSample`.

        Raises:
            KeyError: If the sample has no name or no frames.
            ValueError: If there is no frame, the frames differ in size or are of another kind, do not fill whole views, or are
                more than `pad_to`.
        """
        for key, source in (('sample_id', 'the data set'), ('imgs', 'DecodeVideo')):
            if key not in results:
                raise KeyError(f'PackVideoText needs {key!r}, which {source} sets; found {", ".join(map(str, results))}')
        name, frames = results['sample_id'], list(results['imgs'])
        sizes = sorted({frame.shape for frame in frames})
        if len(sizes) != 1:
            raise ValueError(
                f'the frames of sample {name!r} must have one size, got {sizes or "no frame"}: end the pipeline with a resize or '
                'crop to a fixed size.'
            )
        length = results.get('clip_len') or len(frames)
        if len(frames) % length:
            raise ValueError(f'the {len(frames)} frames of sample {name!r} do not fill whole views of {length} frames.')
        sample = self.pack({**self._named_fields(results), 'img': frames[0]})['data_samples']
        views = torch.from_numpy(np.stack(frames)).permute(3, 0, 1, 2)  # (V * T, H, W, 3) -> (3, V * T, H, W)
        views = views.unflatten(1, (-1, length)).transpose(0, 1)  # (V, 3, T, H, W)
        if self.pad_to is not None:
            sample.set_metainfo({'num_frames': length})
            views = self._padded(views, name)
        return {'inputs': views[0] if len(views) == 1 else views, 'data_samples': sample}

    def _named_fields(self, results: dict) -> dict:
        named = dict(results)
        if 'text' not in named and 'captions' not in named and 'label' in named:
            named['gt_label'] = int(named.pop('label'))
        if self.templates is not None:
            named['templates'] = self.templates
        if 'original_shape' in named:
            named['ori_shape'] = named['original_shape']
        return named

    def _padded(self, views: torch.Tensor, name: str) -> torch.Tensor:
        missing = self.pad_to - views.shape[2]
        if missing < 0:
            raise ValueError(f'sample {name!r} has clips of {views.shape[2]} frames, pad_to is {self.pad_to}: sample fewer.')
        return torch.cat([views, views[:, :, -1:].expand(-1, -1, missing, -1, -1)], 2)
