"""A one-stage detector for tens of thousands of named classes (semantic pretraining on FLOD-9M; Florence, arXiv 2111.11432, 2.4).

Backbone, necks and mmdet's ATSSHead (arXiv 1912.02424) whose last convolution of the classes is a `TextClassifier`. A batch is
trained on a vocabulary of its own, see `sampled_vocabulary`: memory grows with its size and never with the number of classes.
What nobody looked for in an image is no negative there, and pseudo boxes count by their score, see `FederatedFocalLoss`. The
paper does not describe this stage; all of it is our design.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from torch import Tensor, nn

from florence.models.detectors.name_embeddings import read_name_embeddings, rows_of
from florence.models.detectors.sampled_vocabulary import checked_columns, columns_of, sample_vocabulary
from florence.models.detectors.text_classifier import TextClassifier
from florence.models.losses.federated_focal import FederatedFocalLoss, image_negative_weights
from florence.registry import MODELS


@MODELS.register_module()
class VocabularyDetector(BaseModel):
    """ATSS over named classes.

    Data samples are mmdet's; of their meta information `checked_labels`, `negative_weight` and `label_scores` count, which
    `florence.CocoDetection` gives (write them into `meta_keys` of `mmdet.PackDetInputs`). The positive terms of a class in an
    image are weighted by the mean score of its boxes there, the box terms are not.

    Args:
        backbone: `(B, 3, H, W)` -> maps.
        neck: Maps -> pyramid; a list is applied one after the other.
        bbox_head: `mmdet.ATSSHead` without `num_classes`, one anchor a cell, `loss_cls=dict(type='florence.FederatedFocalLoss',
            use_sigmoid=True, ...)`.
        name_embeddings: File of `read_name_embeddings`.
        classes: Names in the order of the data's labels; None: all of the file, in its order.
        vocabulary_size: Classes that a batch is trained on.
        chunk_size: Classes that are scored at a time in inference.
        normalize: See `TextClassifier`.
        train_cfg, test_cfg: Of the head.
        data_preprocessor: E.g. `mmdet.DetDataPreprocessor`.
        init_cfg: Initialisation of mmengine.

    Raises:
        FileNotFoundError: If there is no such file of embeddings.
        KeyError: If it lacks a class.
        ValueError: If the head is of another kind, or a number is out of range.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict | Sequence[dict],
        bbox_head: dict,
        *,
        name_embeddings: str,
        classes: Sequence[str] | None = None,
        vocabulary_size: int = 128,
        chunk_size: int = 512,
        normalize: bool = True,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if vocabulary_size < 1 or chunk_size < 1:
            raise ValueError(f'vocabulary_size and chunk_size must be at least 1, not {vocabulary_size} and {chunk_size}.')
        if isinstance(data_preprocessor, dict):
            data_preprocessor = MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor, init_cfg)
        self.vocabulary_size, self.chunk_size = vocabulary_size, chunk_size
        self.backbone = MODELS.build(backbone)
        self.neck = nn.Sequential(*(MODELS.build(part) for part in ([neck] if isinstance(neck, dict) else neck)))
        names, embeds = read_name_embeddings(name_embeddings)
        if classes is not None:
            names, embeds = tuple(classes), embeds[rows_of(classes, names)]
        self.names = names
        self.register_buffer('name_embeds', embeds, persistent=False)
        self.bbox_head: Any = _build_head(bbox_head, train_cfg, test_cfg)
        self.bbox_head.atss_cls = TextClassifier(
            self.bbox_head.atss_cls.in_channels,
            embeds.size(1),
            kernel_size=self.bbox_head.atss_cls.kernel_size[0],
            normalize=normalize,
        )
        self.set_classes(None)

    @property
    def classifier(self) -> TextClassifier:
        """The head's last step of classification."""
        return self.bbox_head.atss_cls

    def set_classes(self, names: Sequence[str] | None) -> None:
        """Choose what `predict` looks for; predicted labels are places in this list.

        Args:
            names: Some of `self.names`; None: all.

        Raises:
            KeyError: If there is no embedding of a name.
            ValueError: If no name is given, or one twice.
        """
        self._chosen = None if names is None else rows_of(names, self.names)

    def require_classes(self, names: Sequence[str]) -> None:
        """Check that labels of a training set mean what they mean here.

        Args:
            names: Classes of the set in the order of its labels.

        Raises:
            ValueError: If the names are others, or in another order.
        """
        if tuple(names) != self.names:
            place = next((place for place, pair in enumerate(zip(names, self.names)) if pair[0] != pair[1]), None)
            differ = '' if place is None else f'; label {place} is {names[place]!r} there and {self.names[place]!r} here'
            raise ValueError(
                f'the training set has {len(names)} classes and the name embeddings {len(self.names)}{differ}: write the '
                'embeddings from the same annotation file with tools/misc/write_name_embeddings.py.'
            )

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor'):
        """Dispatch to `loss`, `predict`, or the head's raw maps for the first classes.

        Raises:
            ValueError: If the mode is unknown.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            with self.classifier.vocabulary(self.name_embeds[: self.vocabulary_size]):
                return self.bbox_head(self.extract_feat(inputs))
        raise ValueError(f"VocabularyDetector: mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Pyramid of images `(B, 3, H, W)`."""
        return self.neck(self.backbone(inputs))

    def loss(self, inputs: Tensor, data_samples: list[Any]) -> dict[str, Any]:
        """The head's losses on a vocabulary drawn for this batch.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`.
            data_samples: B samples with `gt_instances`; they are not changed.

        Raises:
            ValueError: If a label has no embedding.
        """
        present = [sample.gt_instances.labels for sample in data_samples]
        checked = [_checked_labels(sample, inputs.device) for sample in data_samples]
        vocabulary = sample_vocabulary(present, checked, len(self.names), self.vocabulary_size)
        negative = checked_columns(vocabulary, checked) * image_negative_weights(data_samples, inputs.device)
        positive = _positive_weights(vocabulary, data_samples)
        samples = [
            _with_labels(sample, columns_of(labels, vocabulary)) for sample, labels in zip(data_samples, present, strict=True)
        ]
        maps = self.extract_feat(inputs)
        with (
            self.bbox_head.loss_cls.per_image(negative, positive),
            self.classifier.vocabulary(self.name_embeds[vocabulary]),
            _num_classes(self.bbox_head, len(vocabulary)),
        ):
            return self.bbox_head.loss(maps, samples)

    @torch.no_grad()
    def predict(self, inputs: Tensor, data_samples: list[Any]) -> list[Any]:
        """Boxes of the chosen classes, in pixels of the original images.

        Classes are scored in chunks, each with its own choice of candidates (`nms_pre`), so that more classes never push out
        candidates of others; the best `max_per_img` boxes of all chunks remain.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`.
            data_samples: B samples, which get `pred_instances` with `bboxes`, `scores` and `labels`.
        """
        maps, boxes, centerness = self.bbox_head(self.extract_feat(inputs))
        embeds = self.name_embeds if self._chosen is None else self.name_embeds[self._chosen]
        metas = [sample.metainfo for sample in data_samples]
        parts = []
        for start in range(0, len(embeds), self.chunk_size):
            chunk = embeds[start : start + self.chunk_size]
            logits = [self.classifier.logits(level, chunk) for level in maps]
            with _num_classes(self.bbox_head, len(chunk)):
                found = self.bbox_head.predict_by_feat(logits, boxes, centerness, batch_img_metas=metas, rescale=True)
            for instances in found:
                instances.labels = instances.labels + start
            parts.append(found)
        limit = self.bbox_head.test_cfg.get('max_per_img', -1)
        for sample, found in zip(data_samples, zip(*parts), strict=True):
            sample.pred_instances = _best(found, limit)
        return data_samples


def _build_head(config: dict, train_cfg: dict | None, test_cfg: dict | None) -> Any:
    if 'num_classes' in config:
        raise ValueError('VocabularyDetector: leave num_classes out of bbox_head, it changes with every batch.')
    config = copy.deepcopy(dict(config))
    configs = {name: None if cfg is None else ConfigDict(cfg) for name, cfg in (('train_cfg', train_cfg), ('test_cfg', test_cfg))}
    head = MODELS.build(dict(num_classes=1, **config, **configs))
    if not isinstance(getattr(head, 'atss_cls', None), nn.Conv2d) or head.num_base_priors != 1:
        raise ValueError('VocabularyDetector needs mmdet.ATSSHead with one anchor a cell (one ratio, one scale) as bbox_head.')
    if not isinstance(head.loss_cls, FederatedFocalLoss) or not head.use_sigmoid_cls:
        raise ValueError("VocabularyDetector needs loss_cls=dict(type='florence.FederatedFocalLoss', use_sigmoid=True).")
    return head


@contextmanager
def _num_classes(head: Any, number: int) -> Iterator[None]:
    """The head with so many classes: it reads the number at every call, and no weight depends on it."""
    before = head.num_classes, head.cls_out_channels
    head.num_classes = head.cls_out_channels = number
    try:
        yield
    finally:
        head.num_classes, head.cls_out_channels = before


def _checked_labels(sample: Any, device: torch.device) -> Tensor | None:
    checked = sample.metainfo.get('checked_labels')
    return None if checked is None else torch.as_tensor(checked, dtype=torch.int64, device=device)


def _positive_weights(vocabulary: Tensor, data_samples: Sequence[Any]) -> Tensor:
    """Mean score of the boxes of each class in each image, 1 where there are no scores, `(B, V)`."""
    scores = [sample.metainfo.get('label_scores') or {} for sample in data_samples]
    rows = [[own.get(label, 1.0) for label in vocabulary.tolist()] for own in scores]
    return torch.tensor(rows, device=vocabulary.device)


def _with_labels(sample: Any, labels: Tensor) -> Any:
    """A copy of a sample whose boxes have these labels; everything else is shared."""
    changed, instances = copy.copy(sample), copy.copy(sample.gt_instances)
    instances.labels = labels
    changed.gt_instances = instances
    return changed


def _best(parts: Sequence[InstanceData], limit: int) -> InstanceData:
    """The boxes of all parts with the highest scores, best first."""
    if len(parts) == 1:
        return parts[0]
    merged = InstanceData.cat(list(parts))
    order = merged.scores.argsort(descending=True, stable=True)
    return merged[order[:limit] if limit > 0 else order]
