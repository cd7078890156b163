"""The two-layer perceptron of a transformer block."""

from collections.abc import Callable

from torch import Tensor, nn

from florence.layers.in_parts import in_parts
from florence.layers.linear import Linear


class Mlp(nn.Module):
    """Linear, activation, linear, on the last dimension.

    Args:
        embed_dims: Width of input and output.
        hidden_dims: Width between the two layers.
        act_layer: Makes the activation module.
        drop_rate: Dropout after each layer.
    """

    def __init__(
        self,
        embed_dims: int,
        hidden_dims: int,
        act_layer: Callable[[], nn.Module] = nn.GELU,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.hidden_dims = hidden_dims
        self.fc1 = Linear(embed_dims, hidden_dims)
        self.act = act_layer()
        self.fc2 = Linear(hidden_dims, embed_dims)
        self.drop = nn.Dropout(drop_rate) if drop_rate > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """`(..., embed_dims)` to the same shape."""
        return in_parts(self._on_tokens, x.flatten(0, -2), self.hidden_dims).view_as(x)

    def _on_tokens(self, x: Tensor) -> Tensor:
        """`(N, embed_dims)` to the same shape."""
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))
