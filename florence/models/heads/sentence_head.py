"""Classes of a sentence about one image (SNLI-VE) or about a pair of images (NLVR2).

Source: METER (arXiv 2111.02387, section 4.1). Of a pair each image is fused with the sentence apart, with a token type of its
own, and the two features are joined.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from florence.models.heads.pair_classifier import pair_classifier
from florence.models.vision_language.meter_encoder import METEREncoder
from florence.registry import MODELS
from florence.structures import ImageTextSample


@MODELS.register_module()
class SentenceHead(BaseModule):
    """Chooses one of some classes.

    Args:
        classes: Names of the classes, in the order of `gt_label`.
        embed_dims: Width D of the tokens.
        num_images: Images of a sample, as the encoder's.
        hidden_dims: Hidden width of the classifier; None = 2 D.
        init_cfg: Initialisation of mmengine.

    Raises:
        ValueError: If the classes are not two or more distinct names.
    """

    def __init__(
        self,
        classes: Sequence[str],
        embed_dims: int,
        *,
        num_images: int = 1,
        hidden_dims: int | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if isinstance(classes, str) or len(set(classes)) < max(2, len(classes)):
            raise ValueError(f'SentenceHead needs two or more distinct classes, got {classes!r}.')
        self.classes, self.num_images = tuple(classes), num_images
        self.classifier = pair_classifier(num_images * 2 * embed_dims, hidden_dims or 2 * embed_dims, len(self.classes))

    def loss(self, encoder: METEREncoder, inputs: Tensor, data_samples: list[ImageTextSample]) -> dict[str, Tensor]:
        """Cross entropy, and the accuracy for the log.

        Args:
            encoder: The encoders and fusion.
            inputs: Normalised images, `(B, 3, H, W)` or `(B, num_images, 3, H, W)`.
            data_samples: With `text` and `gt_label`.

        Raises:
            ValueError: If the images are not as many as `num_images`, or a label is missing or no class.
        """
        labels = [sample.get('gt_label', -1) for sample in data_samples]
        wrong = [i for i, label in enumerate(labels) if not 0 <= label < len(self.classes)]
        if wrong:
            sample = data_samples[wrong[0]]
            raise ValueError(
                f'sample {sample.get("sample_id")!r} has gt_label {sample.get("gt_label")}, expected 0 to '
                f'{len(self.classes) - 1} for {self.classes}.'
            )
        logits = self._logits(encoder, inputs, data_samples)
        targets = torch.tensor(labels, device=logits.device)
        accuracy = (logits.detach().argmax(1) == targets).float().mean()
        return {'loss_sentence': F.cross_entropy(logits.float(), targets), 'accuracy': accuracy}

    @torch.no_grad()
    def predict(self, encoder: METEREncoder, inputs: Tensor, data_samples: list[ImageTextSample]) -> list[ImageTextSample]:
        """The samples with `pred_label` and `pred_scores`, the probabilities `(C,)`."""
        for sample, row in zip(data_samples, self._logits(encoder, inputs, data_samples).float().softmax(1), strict=True):
            sample.pred_scores = row
            sample.pred_label = row.argmax()
        return data_samples

    def _logits(self, encoder: METEREncoder, inputs: Tensor, data_samples: list[ImageTextSample]) -> Tensor:
        images = inputs.unsqueeze(1) if inputs.dim() == 4 else inputs  # (B, N, 3, H, W)
        if images.shape[1] != self.num_images:
            raise ValueError(f'SentenceHead needs {self.num_images} image(s) a sample, got {images.shape[1]}.')
        text, mask = encoder.encode_text([sample.text for sample in data_samples])
        features = [
            encoder.pool(*encoder.fuse(text, encoder.encode_image(images[:, position], position), mask))
            for position in range(self.num_images)
        ]
        return self.classifier(torch.cat(features, -1))
