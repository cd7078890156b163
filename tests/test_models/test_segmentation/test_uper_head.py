"""UperNet's heads against those of transformers with the same weights, and their numbers of weights."""

import pytest
import torch
from mmengine.registry import MODELS

from florence.models.segmentation import FCNHead, UPerHead

WIDTHS, CLASSES, CHANNELS = (8, 16, 24, 32), 5, 12


def maps(*sizes):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, width, *size, generator=generator) for width, size in zip(WIDTHS, sizes, strict=True)]


def theirs():
    from transformers import SwinConfig, UperNetConfig
    from transformers.models.upernet.modeling_upernet import UperNetFCNHead, UperNetHead

    sizes = dict(hidden_size=CHANNELS, pool_scales=[1, 2, 3, 6], auxiliary_channels=7, auxiliary_num_convs=2, num_labels=CLASSES)
    config = UperNetConfig(backbone_config=SwinConfig(), **sizes)
    config.auxiliary_concat_input, config.auxiliary_in_channels = False, None
    return UperNetHead(config, WIDTHS), UperNetFCNHead(config, WIDTHS)


def test_heads_equal_those_of_transformers():
    torch.manual_seed(0)
    ours = UPerHead(WIDTHS, CLASSES, channels=CHANNELS), FCNHead(WIDTHS, CLASSES, channels=7, num_convs=2)
    # Sizes that no pooling grid divides, and maps that are not half of the one before.
    inputs = maps((33, 21), (17, 11), (9, 6), (5, 3))
    for own, other in zip(ours, theirs(), strict=True):
        for buffer in own.buffers():
            if buffer.is_floating_point():
                buffer.uniform_(0.5, 1.5)
        renamed = {
            name.replace('.bn.', '.batch_norm.').replace('conv_seg', 'classifier'): value
            for name, value in own.state_dict().items()
        }
        other.load_state_dict(renamed)
        for mode in (True, False):
            # Dropout aside, the averages of a batch work alike, too.
            own.train(mode), other.train(mode), own.dropout.eval()
            torch.testing.assert_close(own(inputs), other(inputs), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(('widths', 'channels', 'classes'), [((128, 256, 512, 1024), 512, 150), ((96, 192, 384, 768), 512, 19)])
def test_numbers_of_weights_follow_from_the_paper(widths, channels, classes):
    def conv(old, side):
        return old * channels * side**2 + 2 * channels  # and scale and offset of the normalisation

    *lower, last = widths
    expected = 4 * conv(last, 1) + conv(last + 4 * channels, 3)
    expected += sum(conv(width, 1) + conv(channels, 3) for width in lower)
    expected += conv(4 * channels, 3) + (channels + 1) * classes
    with torch.device('meta'):
        head = MODELS.build(dict(type='florence.UPerHead', in_channels=widths, num_classes=classes, channels=channels))
    assert sum(parameter.numel() for parameter in head.parameters()) == expected
