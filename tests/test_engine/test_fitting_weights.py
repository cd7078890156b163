"""A checkpoint of another model is refused: in an evaluation wholly, in a training where nothing of it fits."""

import pytest
import torch
from mmengine.model import BaseModel, BaseTTAModel
from torch import nn

from florence.engine.fitting_weights import require_fitting_weights


class Small(BaseModel):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 4))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return self.layers(inputs)


def model():
    return Small()


def test_what_the_model_adapts_by_itself_fits():
    from florence.models.backbones.coswin import CoSwin
    from florence.models.backbones.video_coswin import VideoCoSwin

    arch = dict(embed_dims=(8, 8, 8, 8), depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1), window_size=4)
    image = CoSwin(arch).state_dict()
    given = {name: value.shape for name, value in image.items()}
    check(image, complete=True, target=VideoCoSwin(arch))
    check({f'tower.{name}': value for name, value in image.items()}, True, nn.ModuleDict({'tower': VideoCoSwin(arch)}))
    assert {name: value.shape for name, value in image.items()} == given, 'the weights themselves stay as they are'
    with pytest.raises(ValueError, match=r'expected \(16, 3, 2, 7, 7\), found \(8, 3, 2, 7, 7\)'):
        check(image, complete=True, target=VideoCoSwin({**arch, 'embed_dims': (16, 8, 8, 8)}))


class Views(BaseTTAModel):
    def merge_preds(self, data_samples_list):
        return data_samples_list


def check(weights, complete, target=None):
    require_fitting_weights(model() if target is None else target, weights, 'x.pth', complete=complete)


def test_own_weights_fit_whatever_the_wrapper_and_without_buffers():
    own = {name: value for name, value in model().state_dict().items() if 'running' not in name and 'num_' not in name}
    for weights in (own, {f'module.{name}': value for name, value in own.items()}):
        check(weights, complete=True)
        check(weights, complete=True, target=Views(module=model()))


def test_a_new_head_is_allowed_in_training_alone():
    weights = model().state_dict() | {'layers.2.weight': torch.zeros(7, 3), 'layers.2.bias': torch.zeros(7)}
    check(weights, complete=False)
    with pytest.raises(ValueError, match=r"^x.pth does not .* 2 of its 6 .*'layers.2.weight', expected \(4, 3\), found \(7, 3\)"):
        check(weights, complete=True)


@pytest.mark.parametrize('complete', [False, True])
def test_foreign_weights_are_refused(complete):
    with pytest.raises(ValueError, match=r"6 of its 6 weights .*'layers.0.weight', expected \(3, 2\), found nothing"):
        check({f'other.{name}': value for name, value in model().state_dict().items()}, complete)
