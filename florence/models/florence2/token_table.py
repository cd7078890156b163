"""A table of words of which some rows alone are trained: those of tokens that a user adds, those of locations.

The rows that learn are a parameter of their own, the table beside them is frozen: the optimizer's state is as small as the rows,
and no weight decay reaches the others. In a state dict there is the whole table under its usual name.

Axes: V tokens, n rows that learn, D width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from florence.models.language import Florence2Tokenizer


class TokenTable(nn.Embedding):
    """An embedding with frozen rows.

    Args:
        table: The embedding so far.
        ids: Of the rows that learn, `(n,)`.
    """

    def __init__(self, table: nn.Embedding, ids: Tensor) -> None:
        super().__init__(*table.weight.shape, padding_idx=table.padding_idx, _weight=table.weight.detach())
        self.weight.requires_grad_(False)
        ids = ids.to(table.weight.device)
        self.rows = nn.Parameter(self.weight[ids].clone())
        row_of = torch.full((self.num_embeddings,), -1, device=ids.device)
        row_of[ids] = torch.arange(len(ids), device=ids.device)
        self.register_buffer('ids', ids, persistent=False)
        self.register_buffer('row_of', row_of, persistent=False)
        self.register_state_dict_post_hook(_join)
        self.register_load_state_dict_pre_hook(_split)

    def forward(self, input: Tensor) -> Tensor:
        """Ids `(...)` to embeddings `(..., D)`."""
        row = self.row_of[input]
        return torch.where(row[..., None] >= 0, self.rows[row.clamp(min=0)], super().forward(input))

    def whole(self) -> Tensor:
        """The table `(V, D)`; gradients reach the rows that learn."""
        return self.weight.index_copy(0, self.ids, self.rows)


def rows_of(groups: Sequence[str], words: Florence2Tokenizer) -> Tensor:
    """Ids of the tokens of groups, 'new' and 'locations', `(n,)`.

    Raises:
        ValueError: If there is no such group, or it has no tokens.
    """
    rows = {'new': words.new_ids(), 'locations': words.location_ids()}
    if isinstance(groups, str) or not groups or set(groups) - set(rows):
        raise ValueError(f'trained_tokens must be a list of some of {sorted(rows)}, got {groups!r}.')
    if 'new' in groups and not words.new_tokens:
        raise ValueError("trained_tokens names 'new', but the tokenizer has no new_tokens.")
    return torch.cat([rows[group] for group in sorted(set(groups))])


def extend_table(weights: dict[str, Tensor], name: str, table: Tensor, num_new: int) -> None:
    """Give tokens that weights do not know yet their rows: small random ones around the mean of the others.

    Args:
        weights: State dict, changed in place.
        name: Of the table in it.
        table: Embeddings of the model, `(V, D)`.
        num_new: Tokens at the end of the table that weights may lack.
    """
    given = weights.get(name)
    missing = len(table) - len(given) if given is not None else 0
    if 0 < missing <= num_new:
        noise = table[-missing:].detach().to(given)
        weights[name] = torch.cat([given, given.float().mean(0).to(given) + noise])


def _join(module: TokenTable, state_dict: dict, prefix: str, local_metadata: dict) -> None:
    rows = state_dict.pop(f'{prefix}rows')
    # Split over ranks (ZeRO-3), both are empty here: names and shapes are all that is asked for.
    if len(rows):
        state_dict[f'{prefix}weight'] = state_dict[f'{prefix}weight'].index_copy(0, module.ids, rows)


def _split(module: TokenTable, state_dict: dict, prefix: str, *_: object) -> None:
    weight = state_dict.get(f'{prefix}weight')
    if weight is not None and len(weight) == module.num_embeddings:
        state_dict[f'{prefix}rows'] = weight[module.ids.to(weight.device)]
