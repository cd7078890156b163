"""Any detector of mmdet with attribute learning beside it (Florence, arXiv 2111.11432, section 3.6).

The paper pools each object by 1x1 RoI pooling from the last stage of the backbone and learns attributes and boxes together. Here
the detector's own backbone runs once; a forward hook hands its last map to the attribute head. Training pools the ground-truth
boxes, prediction the detected ones with their predicted classes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torchvision.ops import roi_align

from florence.registry import MODELS


@MODELS.register_module()
class AttributeDetector(BaseModel):
    """A detector and an attribute head on the same backbone.

    Args:
        detector: Config of an mmdet detector with a `backbone` that returns maps, e.g. `dict(type='mmdet.ATSS', ...)`; its
            `data_preprocessor` is used.
        attribute_head: Config of `florence.AttributeHead`; its `in_channels` are those of the last map.
        stride: Stride of the last map in pixels.
        init_cfg: Initialisation of mmengine.
    """

    def __init__(
        self, detector: dict | nn.Module, attribute_head: dict | nn.Module, *, stride: int = 32, init_cfg: dict | None = None
    ) -> None:
        detector = MODELS.build(detector) if isinstance(detector, dict) else detector
        super().__init__(detector.data_preprocessor, init_cfg)
        self.detector = detector
        self.attribute_head = MODELS.build(attribute_head) if isinstance(attribute_head, dict) else attribute_head
        self.stride = stride

    def forward(self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor'):
        """Dispatch to `loss`, `predict`, or the detector's own 'tensor' mode.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`.
            data_samples: mmdet's `DetDataSample` of each image.
            mode: 'loss', 'predict' or 'tensor'.

        Raises:
            ValueError: If the mode is unknown.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.detector(inputs, data_samples, mode='tensor')
        raise ValueError(f"AttributeDetector: mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")

    def loss(self, inputs: Tensor, data_samples: list) -> dict:
        """The detector's losses and `loss_attribute`.

        Args:
            inputs: `(B, 3, H, W)`.
            data_samples: With `gt_instances.bboxes` (xyxy, pixels of the input), `labels` and `attributes` `(N, A)`.

        Raises:
            KeyError: If a sample has no attributes.
        """
        truths = [sample.gt_instances for sample in data_samples]
        if any('attributes' not in truth for truth in truths):
            raise KeyError('AttributeDetector needs gt_instances.attributes: end the pipeline with florence.PackAttributes.')
        with _last_map(self.detector.backbone) as maps:
            losses = self.detector.loss(inputs, data_samples)
        labels = torch.cat([truth.labels for truth in truths])
        attributes = torch.cat([truth.attributes for truth in truths]).to(inputs.device)
        features = self._pool(maps, inputs, [_plain(truth.bboxes) for truth in truths])
        return {**losses, **self.attribute_head.loss(features, labels, attributes)}

    def predict(self, inputs: Tensor, data_samples: list) -> list:
        """The samples with `pred_instances`: boxes in pixels of the original image, `scores`, `labels`, `attributes` `(N, A)`.

        Args:
            inputs: `(B, 3, H, W)`.
            data_samples: With the metainfo that the detector needs; `scale_factor` (w, h) where the image was resized.
        """
        with _last_map(self.detector.backbone) as maps:
            data_samples = self.detector.predict(inputs, data_samples, rescale=True)
        found = [sample.pred_instances for sample in data_samples]
        boxes = []
        for sample, instances in zip(data_samples, found, strict=True):
            scale = inputs.new_tensor(sample.metainfo.get('scale_factor', (1.0, 1.0))).repeat(2)
            boxes.append(_plain(instances.bboxes) * scale)
        scores = self.attribute_head.predict(self._pool(maps, inputs, boxes), torch.cat([each.labels for each in found]))
        for instances, own in zip(found, scores.split([len(each) for each in boxes]), strict=True):
            instances.attributes = own
        return data_samples

    def _pool(self, maps: Sequence[Tensor], inputs: Tensor, boxes: list[Tensor]) -> Tensor:
        """Mean of the last map in each box, `(N, C)`; `boxes` are those of each image, xyxy in pixels of the input."""
        assert len(maps) == 1, 'the backbone runs once'
        size = [-(-side // self.stride) for side in inputs.shape[-2:]]
        if list(maps[0].shape[-2:]) != size:
            raise ValueError(
                f'the last map is {tuple(maps[0].shape[-2:])} for an input of {tuple(inputs.shape[-2:])}: that is not stride '
                f'{self.stride}, set AttributeDetector(stride=...) to that of the last map.'
            )
        # In half precision coordinates beyond 256 pixels are no longer whole.
        pooled = roi_align(
            maps[0].float(), [box.float() for box in boxes], output_size=1, spatial_scale=1 / self.stride, aligned=True
        )  # (N, C, 1, 1)
        return pooled.flatten(1)  # (N, C)


@contextmanager
def _last_map(backbone: nn.Module) -> Iterator[list[Tensor]]:
    """A list that the last map of each forward pass of the backbone is put into."""
    maps: list[Tensor] = []
    handle = backbone.register_forward_hook(lambda module, inputs, outputs: maps.append(outputs[-1]))
    try:
        yield maps
    finally:
        handle.remove()


def _plain(boxes: object) -> Tensor:
    """Boxes as a tensor; mmdet may wrap them."""
    return getattr(boxes, 'tensor', boxes)  # type: ignore[return-value]
