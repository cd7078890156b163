"""METER: encoders, fusion, and one task on top (Florence, arXiv 2111.11432, section 2.5; METER, arXiv 2111.02387).

The task is a module of its own, the head: it says what is encoded, paired and fused, and what the loss is. A fine-tuning takes
`encoder.*` from a pretraining checkpoint (`load_from`) and starts its head anew.
"""

from typing import Any

from mmengine.model import BaseModel
from torch import Tensor, nn

from florence.models.data_preprocessors import ImageTextPreprocessor
from florence.models.language import TokenizerModule
from florence.models.vision_language.meter_encoder import METEREncoder
from florence.registry import MODELS
from florence.structures import ImageTextSample


@MODELS.register_module()
class METERModel(BaseModel):
    """A vision-language model of one task.

    Args:
        encoder: Arguments of `METEREncoder`, or one.
        head: The task: a registered module with `loss(encoder, inputs, samples)` and `predict(encoder, inputs, samples)`; it
            is given `embed_dims`, the width of the tokens.
        data_preprocessor: None: `ImageTextPreprocessor()`.
        init_cfg: Initialisation of mmengine, e.g. `dict(type='Pretrained', checkpoint=...)`.
    """

    def __init__(
        self,
        encoder: dict | METEREncoder,
        head: dict | nn.Module,
        *,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if data_preprocessor is None:
            data_preprocessor = ImageTextPreprocessor()
        elif isinstance(data_preprocessor, dict):
            data_preprocessor = MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor, init_cfg)
        self.encoder = METEREncoder(**encoder) if isinstance(encoder, dict) else encoder
        self.head = MODELS.build({'embed_dims': self.encoder.embed_dims, **head}) if isinstance(head, dict) else head

    @property
    def tokenizer(self) -> TokenizerModule:
        """The tokenizer of the text tower."""
        return self.encoder.tokenizer

    def no_weight_decay(self) -> set[str]:
        """Names of parameters that are never decayed, besides norms and biases."""
        return {f'encoder.{name}' for name in self.encoder.no_weight_decay()}

    def forward(self, inputs: Tensor, data_samples: list[ImageTextSample] | None = None, mode: str = 'tensor') -> Any:
        """Dispatch to the head's `loss` or `predict`, or encode the images.

        Args:
            inputs: Normalised images, `(B, 3, H, W)`, or `(B, 2, 3, H, W)` where a sample has two.
            data_samples: One sample an image or pair of images.
            mode: 'loss' -> dict of losses; 'predict' -> the samples with predictions; 'tensor' -> image tokens `(B, L_i, D)`.

        Raises:
            ValueError: If the mode is unknown.
        """
        if mode == 'loss':
            return self.head.loss(self.encoder, inputs, data_samples)
        if mode == 'predict':
            return self.head.predict(self.encoder, inputs, data_samples)
        if mode == 'tensor':
            return self.encoder.encode_image(inputs)
        raise ValueError(f"METERModel: mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")
