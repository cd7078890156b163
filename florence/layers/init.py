"""Weight initialisation shared by the towers."""

from torch import nn


def init_transformer_weights(module: nn.Module, std: float = 0.02) -> None:
    """Truncated normal for the weights of linear layers, zero for their biases, in every submodule."""
    for child in module.modules():
        if isinstance(child, nn.Linear):
            nn.init.trunc_normal_(child.weight, std=std)
            if child.bias is not None:
                nn.init.zeros_(child.bias)


def init_conv_weights(module: nn.Module, std: float = 0.02) -> None:
    """Normal for the weights of 2-D convolutions, zero for their biases, in every submodule."""
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            nn.init.normal_(child.weight, std=std)
            if child.bias is not None:
                nn.init.zeros_(child.bias)
