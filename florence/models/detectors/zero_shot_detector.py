"""Florence's zero-shot detector (arXiv 2111.11432, section 3.6): class-agnostic proposals, each named by the two-tower model.

The image tower stays as pretrained; a neck (FPN, Dynamic Head) and a one-stage head of a single class are trained on boxes whose
names are ignored. At inference every proposal is classified zero-shot, as an image is (section 3.1). What the paper leaves open
is decided thus: region features by RoIAlign on the map that the proposals come from (`RoIRegionEncoder`), scores joined by their
geometric mean (`ScoreFusion`), names of the background beside a single class (`florence.tasks.background_names`).
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor, nn

from florence.models.detectors.box_suppression import best_pairs
from florence.models.detectors.class_list import AUTO, ClassList, make_class_list
from florence.models.detectors.roi_region_encoder import RoIRegionEncoder
from florence.models.detectors.score_fusion import ScoreFusion
from florence.models.detectors.text_bank import TextBank
from florence.models.detectors.zero_shot_settings import detection_settings, head_settings
from florence.models.losses.federated_focal import FederatedFocalLoss, image_negative_weights
from florence.models.two_tower import TwoTower
from florence.registry import MODELS


@dataclass(frozen=True)
class Regions:
    """What an image offers to be named: R proposals.

    Attributes:
        boxes: `(R, 4)` xyxy, pixels of the network input.
        objectness: `(R,)`, in [0, 1].
        embeds: `(R, D)`, L2-normalised.
    """

    boxes: Tensor
    objectness: Tensor
    embeds: Tensor


@MODELS.register_module()
class ZeroShotDetector(BaseModel):
    """Detects classes given by their names.

    Args:
        two_tower: Config of a `TwoTower` whose image tower gives several maps, or the model.
        neck: The tower's maps -> a pyramid; a list is a sequence of necks.
        rpn_head: Dense head of one class with mmdet's calls `loss` and `predict`, e.g. `mmdet.ATSSHead`.
        region_encoder: None: `RoIRegionEncoder()`.
        score_fusion: None: `ScoreFusion()`.
        classes: Names to detect; None: `set_classes` or the data samples' `classes` bring them.
        templates: Name of a set of `florence.tasks.templates`.
        name_overrides: Class name -> what the text tower reads instead.
        background_names: See `make_class_list`; a sigmoid needs none, 'auto' is none there.
        text_bank_dir: Folder in which class embeddings are kept; None: in memory only.
        freeze_tower: Whether the image tower keeps its weights; False trains it by boxes, which loosens its bond to the text. The
            text side is never trained.
        train_cfg: `rpn`: the head's own, e.g. its assigner.
        test_cfg: `rpn`: the head's own; `rcnn`: `score_thr`, `nms` (`nms` or `soft_nms`) and `max_per_img` of the result; both
            over the defaults of `zero_shot_settings`.
        data_preprocessor: None: `mmdet.DetDataPreprocessor` with the tower's mean and standard deviation, padded to 32.
        init_cfg: Initialisation of mmengine.

    Raises:
        ValueError: If the head has more than one class, or a setting is unknown.
    """

    def __init__(
        self,
        two_tower: dict | TwoTower,
        neck: dict | list[dict] | nn.Module,
        rpn_head: dict | nn.Module,
        *,
        region_encoder: dict | nn.Module | None = None,
        score_fusion: dict | ScoreFusion | None = None,
        classes: Sequence[str] | None = None,
        templates: str = 'simple',
        name_overrides: Mapping[str, str] | None = None,
        background_names: str | Sequence[str] | None = AUTO,
        text_bank_dir: str | None = None,
        freeze_tower: bool = True,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        tower = _built(two_tower)
        super().__init__(_preprocessor_of(tower) if data_preprocessor is None else _built(data_preprocessor), init_cfg)
        proposals, self.detections = detection_settings(test_cfg)
        self.two_tower = tower
        self.neck = _built(neck)
        # mmdet's NumClassCheckHook lets one class stand beside many only in a module of this name.
        self.rpn_head = _head(rpn_head, head_settings(train_cfg), proposals)
        self.region_encoder = RoIRegionEncoder() if region_encoder is None else _built(region_encoder)
        self.score_fusion = ScoreFusion() if score_fusion is None else _built(score_fusion)
        self.text_bank = TextBank(text_bank_dir)
        self.templates, self.name_overrides, self.background_names = templates, name_overrides, background_names
        self.freeze_tower = freeze_tower
        self._classes: ClassList | None = None
        if classes is not None:
            self.set_classes(classes)
        self._freeze()

    def set_classes(
        self,
        classes: Sequence[str],
        templates: str | None = None,
        *,
        name_overrides: Mapping[str, str] | None = None,
        background_names: str | Sequence[str] | None = None,
    ) -> None:
        """Detect other classes from now on; nothing of the image side changes.

        Args:
            classes: Names; label i is `classes[i]`.
            templates, name_overrides, background_names: As in the constructor; None keeps what was set before.

        Raises:
            ValueError: If there is no class, or a name is blank.
        """
        overrides = self.name_overrides if name_overrides is None else name_overrides
        background = self.background_names if background_names is None else background_names
        self._classes = make_class_list(classes, overrides, self._background(background))
        self.name_overrides, self.background_names = overrides, background
        self.templates = self.templates if templates is None else templates

    def train(self, mode: bool = True) -> 'ZeroShotDetector':
        """Sets the mode of all parts but the frozen ones, which stay in evaluation mode."""
        super().train(mode)
        self._freeze()
        return self

    def forward(self, inputs: Tensor, data_samples: list[BaseDataElement] | None = None, mode: str = 'tensor'):
        """Dispatch to `loss` or `predict`; 'tensor' gives the raw outputs of the head.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`.
            data_samples: mmdet's, one an image; not needed for mode 'tensor'.
            mode: 'loss', 'predict' or 'tensor'.

        Raises:
            ValueError: If the mode is unknown, or an image holds values that are not finite.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.rpn_head(self.neck(self.image_maps(inputs)))
        raise ValueError(f"ZeroShotDetector: mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")

    def image_maps(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """The maps of the image tower, without a graph where it is frozen.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_tower):
            return self.two_tower.image_tower(inputs)

    def loss(self, inputs: Tensor, data_samples: list[BaseDataElement]) -> dict[str, Tensor]:
        """The head's losses on boxes without their classes.

        With `FederatedFocalLoss` as the head's `loss_cls`, the background of an image counts as its `negative_weight` says.
        """
        _check_finite(inputs, data_samples, 'pixels')
        loss_cls = self.rpn_head.loss_cls
        weighted = isinstance(loss_cls, FederatedFocalLoss)
        with loss_cls.per_image(image_negative_weights(data_samples, inputs.device)) if weighted else nullcontext():
            return self.rpn_head.loss(self.neck(self.image_maps(inputs)), [_without_labels(sample) for sample in data_samples])

    def predict(self, inputs: Tensor, data_samples: list[BaseDataElement]) -> list[BaseDataElement]:
        """Detections of each image: `find_regions`, then `name_regions`."""
        return self.name_regions(self.find_regions(inputs, data_samples), data_samples)

    @torch.no_grad()
    def find_regions(self, inputs: Tensor, data_samples: list[BaseDataElement]) -> list[Regions]:
        """The image side, whatever the classes: proposals with their embeddings, from one pass of the tower.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`.
            data_samples: One an image, with `img_shape`.
        """
        _check_finite(inputs, data_samples, 'pixels')
        maps = self.image_maps(inputs)
        proposals = self.rpn_head.predict(self.neck(maps), data_samples, rescale=False)
        boxes = [getattr(found.bboxes, 'tensor', found.bboxes) for found in proposals]
        sizes = [tuple(sample.img_shape[:2]) for sample in data_samples]
        embeds = self.region_encoder(self.two_tower, inputs, maps[-1], boxes, sizes)
        _check_finite(embeds, data_samples, 'region features')
        # A head with a centerness branch multiplies two factors; their mean is on the scale of one.
        power = 0.5 if hasattr(self.rpn_head, 'loss_centerness') else 1.0
        objectness = [found.scores.float() ** power for found in proposals]
        return [Regions(*parts) for parts in zip(boxes, objectness, embeds, strict=True)]

    @torch.no_grad()
    def name_regions(self, regions: list[Regions], data_samples: list[BaseDataElement]) -> list[BaseDataElement]:
        """The text side: scores of all names for all regions, and the best of them.

        Args:
            regions: What `find_regions` found.
            data_samples: One an image; a `classes` entry comes before the classes of the model.

        Returns:
            The samples with `pred_instances` (`bboxes` xyxy in pixels of the original image, `scores`, `labels`), and `scoring`,
            how the scores came about.

        Raises:
            ValueError: If no classes are known.
        """
        for sample, found in zip(data_samples, regions, strict=True):
            classes = self._classes_of(sample)
            bank = self.text_bank.get(self.two_tower, classes.names + classes.background, self.templates)
            with torch.autocast(bank.device.type, enabled=False):  # the cosines of alike names differ in the third digit
                cosines = found.embeds @ bank.to(found.embeds).t()  # (R, D) x (D, K) -> (R, K)
            scores = self.score_fusion(cosines, found.objectness, len(classes.background), self.two_tower.multiplier())
            box, name, score = best_pairs(found.boxes, scores, **self.detections)
            labels = torch.tensor(classes.labels, device=name.device)[name]
            bboxes = found.boxes[box] / found.boxes.new_tensor(sample.metainfo.get('scale_factor', (1.0, 1.0))).repeat(2)
            sample.pred_instances = InstanceData(bboxes=bboxes, scores=score, labels=labels)
            sample.set_metainfo(dict(scoring=self._scoring(classes)))
        return data_samples

    def _classes_of(self, sample: BaseDataElement) -> ClassList:
        own = sample.get('classes')
        if own is not None:
            return make_class_list(own, self.name_overrides, self._background(self.background_names))
        if self._classes is None:
            raise ValueError(
                'no classes to detect: give the model `classes`, call set_classes(names), or put `classes` in the data samples.'
            )
        return self._classes

    def _background(self, names: str | Sequence[str] | None) -> str | Sequence[str] | None:
        return () if names == AUTO and self.score_fusion.kind == 'sigmoid' else names

    def _scoring(self, classes: ClassList) -> dict:
        tau = float(self.two_tower.multiplier()) if self.score_fusion.multiplier is None else self.score_fusion.multiplier
        settings = self.score_fusion.describe() | dict(multiplier=tau, templates=self.templates)
        return settings | dict(num_names=len(classes.names), background=list(classes.background))

    def _freeze(self) -> None:
        tower = self.two_tower
        frozen = [tower] if self.freeze_tower else [tower.text_tower, tower.text_proj, tower.image_proj]
        for module in frozen:
            module.eval().requires_grad_(False)
        tower.logit_scale.requires_grad_(False)


def _built(module: Any) -> Any:
    """A module from its config, or as it is."""
    return MODELS.build(module) if isinstance(module, dict | list) else module


def _preprocessor_of(tower: TwoTower) -> nn.Module:
    """Images as the tower was trained with them, in mmdet's form."""
    # The numbers are put in as tensors: a model that is built without storage (on the device 'meta') has no others.
    result = MODELS.build(
        dict(type='mmdet.DetDataPreprocessor', mean=[0.0] * 3, std=[1.0] * 3, bgr_to_rgb=True, pad_size_divisor=32)
    )
    result.mean, result.std = (getattr(tower.data_preprocessor, name).view(3, 1, 1) for name in ('mean', 'std'))
    return result


def _head(head: dict | nn.Module, train_cfg: dict | None, test_cfg: ConfigDict) -> nn.Module:
    if isinstance(head, dict):
        head = {**head, 'train_cfg': ConfigDict(train_cfg) if train_cfg else None, 'test_cfg': test_cfg}
    built = _built(head)
    if built.num_classes != 1:
        raise ValueError(f'ZeroShotDetector: rpn_head must have num_classes=1, an object of any kind, got {built.num_classes}.')
    return built


def _without_labels(sample: BaseDataElement) -> BaseDataElement:
    """A shallow copy whose boxes are all of class 0."""
    copy, instances = sample.new(), sample.gt_instances.new()
    instances.labels = torch.zeros_like(instances.labels)
    copy.gt_instances = instances
    return copy


def _check_finite(per_image: Tensor | list[Tensor], data_samples: list[BaseDataElement], what: str) -> None:
    for values, sample in zip(per_image, data_samples, strict=True):
        if not bool(values.isfinite().all()):
            name = sample.get('img_path') or sample.get('img_id')
            cause = 'the image, or the mean and std of the preprocessor' if what == 'pixels' else 'the weights'
            raise ValueError(f'{what} of image {name} are not finite: check {cause}.')
