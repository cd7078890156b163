"""Florence's pretraining model: image tower, text tower, two linear projections, UniCL (arXiv 2111.11432, sections 2.2-2.3).

The image feature is the global average of the last map, the text feature the end token; both are projected without bias and
normalised in fp32. Identical texts of a batch are encoded once. Each tower is any registered module: a backbone that maps
images to a tuple of feature maps, an encoder that maps token ids to one feature. The loss is computed in two parts, `encode`
and `loss_from`, so that `florence.engine.gradient_cache` can come between them.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from florence.layers import Linear
from florence.models.data_preprocessors import ImageTextPreprocessor
from florence.models.language import TokenizerModule
from florence.models.losses import UniCLLoss
from florence.models.two_tower.class_embeddings import ClassEmbeddingCache
from florence.registry import MODELS, TOKENIZERS
from florence.structures import ImageTextSample

DEFAULT_TEMPLATES = 'simple'


@MODELS.register_module()
class TwoTower(BaseModel):
    """Image and text towers that share an embedding space.

    Args:
        image_tower: Backbone: `(B, 3, H, W)` -> tuple of `(B, C_i, H_i, W_i)`; needs `embed_dims`, the width of the last map.
        text_tower: Encoder: `input_ids, attention_mask (B, L)` -> `(B, D_t)`; needs `embed_dims`.
        tokenizer: Config of a `florence.registry.TOKENIZERS` entry.
        embed_dims: Width of the shared space.
        loss: Loss of the training; None: `UniCLLoss()`.
        logit_scale_init: Initial multiplier of the cosine, the inverse temperature.
        logit_scale_max: The multiplier is kept in [1, this].
        data_preprocessor: None: `ImageTextPreprocessor()`.
        init_cfg: Initialisation of mmengine, e.g. `dict(type='Pretrained', checkpoint=...)`.
    """

    def __init__(
        self,
        image_tower: dict | nn.Module,
        text_tower: dict | nn.Module,
        tokenizer: dict,
        *,
        embed_dims: int,
        loss: dict | nn.Module | None = None,
        logit_scale_init: float = 1 / 0.07,
        logit_scale_max: float = 100.0,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        # Built here, not by BaseModel: BaseModel looks in the root registry, which knows ours under a default scope only.
        super().__init__(_built(data_preprocessor, ImageTextPreprocessor), init_cfg)
        self.image_tower = _built(image_tower)
        self.text_tower = _built(text_tower)
        self.tokenizer = TokenizerModule(TOKENIZERS.build(tokenizer))
        self.image_proj = Linear(self.image_tower.embed_dims, embed_dims, bias=False)
        self.text_proj = Linear(self.text_tower.embed_dims, embed_dims, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(logit_scale_init)))
        self.max_log_scale = math.log(logit_scale_max)
        self.loss_module = _built(loss, UniCLLoss)
        self._classifiers = ClassEmbeddingCache()
        for proj in (self.image_proj, self.text_proj):
            nn.init.normal_(proj.weight, std=proj.in_features**-0.5)

    def no_weight_decay(self) -> set[str]:
        """Names of parameters that are never decayed, besides norms and biases: the temperature."""
        return {'logit_scale'}

    def train(self, mode: bool = True) -> 'TwoTower':
        """Switch mode; cached zero-shot classifiers are forgotten, because training changes the weights."""
        self._classifiers.clear()
        return super().train(mode)

    def load_state_dict(self, *args, **kwargs):
        """As `nn.Module.load_state_dict`; cached zero-shot classifiers are forgotten."""
        self._classifiers.clear()
        return super().load_state_dict(*args, **kwargs)

    def forward(self, inputs: Tensor, data_samples: list[ImageTextSample] | None = None, mode: str = 'tensor'):
        """Dispatch to `loss`, `encode`, `predict` or `encode_image`.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`.
            data_samples: One sample an image; not needed for mode 'tensor'.
            mode: 'loss', 'encode', 'predict' or 'tensor'.

        Raises:
            ValueError: If the mode is unknown.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'encode':
            return self.encode(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.encode_image(inputs)
        raise ValueError(f"TwoTower: mode must be 'loss', 'encode', 'predict' or 'tensor', got {mode!r}.")

    def encode_image(self, inputs: Tensor) -> Tensor:
        """L2-normalised image embeddings, `(B, D)` fp32.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`.
        """
        return self.project_image(self.image_tower(inputs)[-1].mean((2, 3)))  # (B, C, H, W) -> (B, C) -> (B, D)

    def project_image(self, feature: Tensor) -> Tensor:
        """L2-normalised embeddings `(B, D)`, fp32, of pooled features of the image tower `(B, C)`."""
        return _normalize(self.image_proj(feature))

    def encode_inputs(self, inputs: Tensor, data_samples: list[ImageTextSample]) -> Tensor:
        """`encode_image` of a batch with its samples, which may say more about the inputs."""
        return self.encode_image(inputs)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """L2-normalised text embeddings, `(B, D)` fp32; a text that occurs several times is encoded once.

        Args:
            texts: Non-empty strings.
        """
        distinct = list(dict.fromkeys(texts))
        tokens = self.tokenizer.encode(distinct)
        device = self.text_proj.weight.device
        feature = self.text_tower(tokens['input_ids'].to(device), tokens['attention_mask'].to(device))
        embeds = _normalize(self.text_proj(feature))
        if len(distinct) == len(texts):
            return embeds
        position = {text: index for index, text in enumerate(distinct)}
        return embeds.index_select(0, torch.tensor([position[text] for text in texts], device=device))

    def encode(self, inputs: Tensor, data_samples: list[ImageTextSample]) -> tuple[Tensor, Tensor, Tensor]:
        """All that the loss takes from the parameters.

        Args:
            inputs: Normalised images, `(N, 3, H, W)`.
            data_samples: One sample an image, with its `text`.

        Returns:
            L2-normalised image and text embeddings, `(N, D)` each, and the multiplier of the cosine, a scalar; fp32 or more.

        Raises:
            ValueError: If a sample has no text.
        """
        missing = [sample.get('sample_id') for sample in data_samples if not sample.get('text')]
        if missing:
            raise ValueError(f'{len(missing)} training samples have no text, e.g. {missing[0]!r}: check the pipeline.')
        texts = [sample.text for sample in data_samples]
        return self.encode_inputs(inputs, data_samples), self.encode_text(texts), self.multiplier()

    def loss_from(self, encoded: tuple[Tensor, Tensor, Tensor], data_samples: list[ImageTextSample]) -> dict[str, Tensor]:
        """UniCL loss of what `encode` returned, and the multiplier for the log; touches no parameter.

        Args:
            encoded: Image embeddings `(N, D)`, text embeddings `(N, D)`, multiplier.
            data_samples: The N samples, with their `label`.
        """
        image_embeds, text_embeds, scale = encoded
        labels = torch.tensor([sample.label for sample in data_samples], dtype=torch.int64, device=image_embeds.device)
        return {'loss_unicl': self.loss_module(image_embeds, text_embeds, labels, scale), 'logit_scale': scale.detach()}

    def loss(self, inputs: Tensor, data_samples: list[ImageTextSample]) -> dict[str, Tensor]:
        """`loss_from` of `encode`."""
        return self.loss_from(self.encode(inputs, data_samples), data_samples)

    @torch.no_grad()
    def predict(self, inputs: Tensor, data_samples: list[ImageTextSample]) -> list[ImageTextSample]:
        """Embeddings of each image; of its captions where it has some; class scores where it has classes.

        Returns:
            The samples with `image_embeds`, and `text_embeds` or `pred_scores` and `pred_label`.
        """
        image_embeds = self.encode_inputs(inputs, data_samples)
        captions = [caption for sample in data_samples for caption in sample.get('captions', ())]
        text_embeds = self.encode_text(captions) if captions else None
        start = 0
        for sample, embeds in zip(data_samples, image_embeds, strict=True):
            sample.image_embeds = embeds
            if 'captions' in sample:
                sample.text_embeds = text_embeds[start : start + len(sample.captions)]
                start += len(sample.captions)
            if 'classes' in sample:
                sample.pred_scores = self._class_scores(embeds, sample)
                sample.pred_label = sample.pred_scores.argmax()
        return data_samples

    def class_embeddings(self, classes: Sequence[str], templates: str = DEFAULT_TEMPLATES) -> Tensor:
        """Zero-shot classifier `(C, D)`, kept until the weights change."""
        return self._classifiers.get(self.encode_text, tuple(classes), templates)

    def _class_scores(self, image_embeds: Tensor, sample: ImageTextSample) -> Tensor:
        classifier = self.class_embeddings(sample.classes, sample.get('templates', DEFAULT_TEMPLATES))
        return self.multiplier() * (classifier @ image_embeds)

    def multiplier(self) -> Tensor:
        """Inverse temperature within its bounds, a scalar, fp32 (fp64 stays fp64)."""
        return _BoundedExp.apply(_at_least_fp32(self.logit_scale), self.max_log_scale)


class _BoundedExp(torch.autograd.Function):
    """`exp` of a scalar kept in [0, upper]; the gradient is zero only where a step of descent would lead farther out.

    The parameter itself is never clamped: sharded optimizers (ZeRO) overwrite it with their own copy. At a bound every rank
    judges by its own gradient, so that there the mean over ranks may differ from the gradient of the whole.
    """

    @staticmethod
    def forward(ctx, log_scale: Tensor, upper: float) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(log_scale)
        ctx.upper = upper
        return log_scale.clamp(0, upper).exp()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (log_scale,) = ctx.saved_tensors
        outward = ((log_scale >= ctx.upper) & (grad < 0)) | ((log_scale <= 0) & (grad > 0))
        return (grad * log_scale.clamp(0, ctx.upper).exp()).masked_fill(outward, 0), None


def _built(module: dict | nn.Module | None, default: type[nn.Module] | None = None) -> nn.Module:
    """A module from its config, or as it is, or the default."""
    if module is None:
        assert default is not None
        return default()
    return MODELS.build(module) if isinstance(module, dict) else module


def _at_least_fp32(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _normalize(embeds: Tensor) -> Tensor:
    """L2-normalise in fp32 (fp64 stays fp64): half precision loses the small differences that the loss lives from."""
    return F.normalize(_at_least_fp32(embeds), dim=-1, eps=1e-8)
