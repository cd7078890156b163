"""Semantic segmentation with a backbone, a head and maybe an auxiliary one, as mmsegmentation builds it.

Samples, images and masks are mmdet's: `mmdet.BaseSegDataset` and its kin, `mmdet.DetDataPreprocessor(pad_seg=True)`;
`florence.SegmentationIoU` measures them. Differs from mmsegmentation: the loss is the mean of the pixels that have a class, not
of all, and with weights of classes their weighted mean.

Axes: B images, K classes.
"""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from florence.models.segmentation.sliding_windows import slide
from florence.registry import MODELS


@MODELS.register_module()
class SemanticSegmentor(BaseModel):
    """Images to a class for each pixel.

    Args:
        backbone: Images -> maps; needs `out_channels`, the channels of each.
        decode_head: Config of `UPerHead` or `FCNHead` but the channels.
        auxiliary_head: The same, for a further loss in training; None = none.
        auxiliary_weight: Weight of that loss.
        class_weight: How much a pixel of each class counts in the loss, `(K,)`; None = all the same. A class that fills most
            pixels otherwise outweighs the others until they are told from it, but not from each other.
        ignore_index: Class of pixels that do not count.
        window: None = predict from the whole image, else from windows of this height and width.
        stride: Distance of the windows; None = two thirds of them.
        flip: Average with the probabilities of the mirrored image.
        data_preprocessor: Makes batches, masks included.
        init_cfg: Initialisation of mmengine.

    Raises:
        ValueError: If the stride is larger than the window, so that pixels would be left out, or there is not one weight for each
            class.
    """

    def __init__(
        self,
        backbone: dict | nn.Module,
        decode_head: dict,
        *,
        auxiliary_head: dict | None = None,
        auxiliary_weight: float = 0.4,
        class_weight: Sequence[float] | None = None,
        ignore_index: int = 255,
        window: tuple[int, int] | None = None,
        stride: tuple[int, int] | None = None,
        flip: bool = False,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if isinstance(data_preprocessor, dict):
            data_preprocessor = MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor, init_cfg)
        if window is not None and stride is None:
            stride = (window[0] * 2 // 3, window[1] * 2 // 3)
        if window is not None and not all(0 < step <= side for step, side in zip(stride, window, strict=True)):
            raise ValueError(f'SemanticSegmentor: stride {stride} must be at least 1 and at most the window {window}.')
        self.backbone = MODELS.build(backbone) if isinstance(backbone, dict) else backbone
        widths = dict(in_channels=self.backbone.out_channels)
        self.decode_head = MODELS.build({**widths, **decode_head})
        self.auxiliary_head = MODELS.build({**widths, **auxiliary_head}) if auxiliary_head else None
        self.auxiliary_weight, self.ignore_index = auxiliary_weight, ignore_index
        self.window, self.stride, self.flip = window, stride, flip
        num_classes = decode_head['num_classes']
        if class_weight is not None and len(class_weight) != num_classes:
            raise ValueError(f'SemanticSegmentor: class_weight has {len(class_weight)} numbers for {num_classes} classes.')
        weight = None if class_weight is None else torch.tensor(class_weight, dtype=torch.float32)
        self.register_buffer('class_weight', weight, persistent=False)

    def forward(self, inputs: Tensor, data_samples: list[BaseDataElement] | None = None, mode: str = 'tensor'):
        """Dispatch to `loss`, `predict` or the logits of the head.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`.
            data_samples: One an image; not needed for mode 'tensor'.
            mode: 'loss', 'predict' or 'tensor'.

        Raises:
            ValueError: If the mode is unknown.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.decode_head(self.backbone(inputs))
        raise ValueError(f"SemanticSegmentor: mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")

    def loss(self, inputs: Tensor, data_samples: list[BaseDataElement]) -> dict[str, Tensor]:
        """Cross-entropy of each head, and the share of right pixels for the log.

        Args:
            inputs: `(B, 3, H, W)`.
            data_samples: With `gt_sem_seg.sem_seg` `(1, H, W)`.

        Raises:
            ValueError: If a mask has a class that the head does not know.
        """
        labels = torch.cat([sample.gt_sem_seg.sem_seg for sample in data_samples]).long()
        maps = self.backbone(inputs)
        logits = _enlarged(self.decode_head(maps), labels.shape[1:])
        counts = labels != self.ignore_index
        self._require_classes(labels[counts], logits.shape[1])
        # A batch without any class has no loss, not one that is no number.
        number = counts.sum().clamp(min=1)
        total = number if self.class_weight is None else self.class_weight[labels[counts]].sum().clamp(min=1e-6)
        losses = {'loss_seg': self._cross_entropy(logits, labels) / total}
        if self.auxiliary_head is not None:
            other = _enlarged(self.auxiliary_head(maps), labels.shape[1:])
            losses['loss_aux'] = self.auxiliary_weight * self._cross_entropy(other, labels) / total
        losses['pixel_accuracy'] = (logits.argmax(1) == labels).sum() / number
        return losses

    @torch.no_grad()
    def predict(self, inputs: Tensor, data_samples: list[BaseDataElement]) -> list[BaseDataElement]:
        """The samples get `pred_sem_seg.sem_seg`, the class of each pixel of the file, `(1, H_file, W_file)`.

        Args:
            inputs: `(B, 3, H, W)`, padded on the right and below.
            data_samples: With `img_shape`, the size without padding, and `ori_shape`, that of the file.
        """
        views = [self._logits(inputs)]
        if self.flip:
            # Padding of a mirrored image stays on the right.
            mirrored = inputs.clone()
            for image, sample in zip(mirrored, data_samples, strict=True):
                width = sample.img_shape[1]
                image[..., :width] = image[..., :width].flip(-1)
            views.append(self._logits(mirrored))
        for number, sample in enumerate(data_samples):
            height, width = sample.img_shape[:2]
            crops = [view[number : number + 1, :, :height, :width] for view in views]
            crops[1:] = [crop.flip(-1) for crop in crops[1:]]
            sizes = [_enlarged(crop, sample.ori_shape[:2]) for crop in crops]
            scores = sizes[0] if len(sizes) == 1 else torch.stack([each.softmax(1) for each in sizes]).mean(0)
            sample.pred_sem_seg = PixelData(sem_seg=scores.argmax(1))
        return data_samples

    def _logits(self, inputs: Tensor) -> Tensor:
        """`(B, K, H, W)`."""

        def whole(images: Tensor) -> Tensor:
            return _enlarged(self.decode_head(self.backbone(images)), images.shape[2:])

        return whole(inputs) if self.window is None else slide(inputs, whole, self.window, self.stride)

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(logits.float(), labels, self.class_weight, ignore_index=self.ignore_index, reduction='sum')

    def _require_classes(self, labels: Tensor, num_classes: int) -> None:
        if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
            raise ValueError(
                f'masks have classes {int(labels.min())} to {int(labels.max())}, the head has {num_classes}, 0 to '
                f'{num_classes - 1}: set num_classes, or reduce_zero_label=True of LoadAnnotations where 0 is no class.'
            )


def _enlarged(logits: Tensor, size: Sequence[int]) -> Tensor:
    return interpolate(logits, tuple(size), mode='bilinear')
