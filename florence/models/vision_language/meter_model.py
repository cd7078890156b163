"""METER: encoders, fusion, and one task on top (Florence, arXiv 2111.11432, section 2.5; METER, arXiv 2111.02387).

The task is a module of its own, the head: it says what is encoded, paired and fused, and what the loss is. A fine-tuning takes
`encoder.*` from a pretraining checkpoint (`load_from`) and starts its head anew. A head that is made of the encoder's parts, as
the caption decoder is, has two more methods: `attach(encoder)` builds it, `weights_from_encoder(state_dict)` gives its first
weights, here and wherever an encoder is loaded without a head of this task.
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
        if hasattr(self.head, 'attach'):
            self.head.attach(self.encoder)

    @property
    def tokenizer(self) -> TokenizerModule:
        """The tokenizer of the text tower."""
        return self.encoder.tokenizer

    def no_weight_decay(self) -> set[str]:
        """Names of parameters that are never decayed, besides norms and biases."""
        return {f'encoder.{name}' for name in self.encoder.no_weight_decay()}

    def init_weights(self) -> None:
        """As mmengine's; the encoder comes first, so that a head made of its parts starts from its weights."""
        if not self.encoder.is_init:
            self.encoder.init_weights()
        if hasattr(self.head, 'weights_from_encoder'):
            self.head.load_state_dict(self.head.state_dict() | self.head.weights_from_encoder(self.encoder.state_dict()))
        super().init_weights()

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        """A checkpoint with an encoder but without the weights of this head gives the head its first weights."""
        start = prefix + 'encoder.'
        if hasattr(self.head, 'weights_from_encoder') and start + 'text_proj.weight' in state_dict:
            encoder = {name.removeprefix(start): weight for name, weight in state_dict.items() if name.startswith(start)}
            weights = {f'{prefix}head.{name}': weight for name, weight in self.head.weights_from_encoder(encoder).items()}
            if not weights.keys() & state_dict.keys():
                state_dict.update(weights)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

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
