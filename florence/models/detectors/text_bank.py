"""Class embeddings of a two-tower model, kept in memory and on the disk.

Thousands of names times dozens of templates take minutes to encode and are the same at every start. A file is found by a hash of
all that went into it: the text side's weights, the tokenizer, the templates and the names. Other weights never meet foreign
embeddings. The file is an ordinary dict, `names` (K texts) and `embeds` `(K, D)` fp32 first of all, for whoever needs embeddings
without the towers.
"""

import hashlib
import json
import logging
import os
import pickle
from pathlib import Path

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from florence.atomic_files import atomic_path
from florence.models.backbones.feature_cache import weights_fingerprint
from florence.models.two_tower import TwoTower
from florence.models.two_tower.class_embeddings import build_class_embeddings
from florence.tasks.templates import get_templates

FORMAT = 1


class TextBank:
    """One L2-normalised embedding per name, `(K, D)`, built when first asked for.

    Args:
        folder: Where files lie; several processes may share it. None: in memory only.

    Attributes:
        built: How often embeddings were computed, not found.
    """

    def __init__(self, folder: str | os.PathLike | None = None) -> None:
        self.folder = None if folder is None else Path(folder)
        self.built = 0
        self._stamp: tuple = ()
        self._fingerprint = ''
        self._embeds: dict[tuple[tuple[str, ...], str], Tensor] = {}

    @torch.no_grad()
    def get(self, tower: TwoTower, names: tuple[str, ...], templates: str) -> Tensor:
        """Embeddings of the names, on the tower's device.

        Args:
            tower: The model whose text side encodes them, in evaluation mode.
            names: Distinct names.
            templates: Name of a set of `florence.tasks.templates`.
        """
        self._forget_other_weights(tower)
        if (names, templates) not in self._embeds:
            path = self._path(names, templates)
            embeds = None if path is None else _read(path, names)
            if embeds is None:
                embeds = self._build(tower, names, templates)
                if path is not None:
                    self._write(path, names, templates, embeds)
            self._embeds[names, templates] = embeds.to(tower.text_proj.weight.device)
        return self._embeds[names, templates]

    def _forget_other_weights(self, tower: TwoTower) -> None:
        # Writing to a parameter raises its version, moving it changes its address: to hash all weights each time would take
        # seconds, to write out a vocabulary tenths of one. A checkpoint that brings another vocabulary writes the parameters too.
        parameters = [*tower.text_tower.parameters(), *tower.text_proj.parameters()]
        stamp = (*((tensor.data_ptr(), tensor._version) for tensor in parameters), tower.tokenizer.tokenizer)
        if stamp != self._stamp:
            self._stamp, self._fingerprint = stamp, weights_fingerprint(_text_side(tower))
            self._embeds.clear()

    def _build(self, tower: TwoTower, names: tuple[str, ...], templates: str) -> Tensor:
        self.built += 1
        # What the file holds must not depend on the mode in which it was first asked for.
        with torch.autocast(tower.text_proj.weight.device.type, enabled=False):
            return build_class_embeddings(tower.encode_text, names, templates)

    def _path(self, names: tuple[str, ...], templates: str) -> Path | None:
        if self.folder is None:
            return None
        content = json.dumps([FORMAT, self._fingerprint, get_templates(templates), names])
        return self.folder / f'{hashlib.blake2b(content.encode(), digest_size=20).hexdigest()}.pth'

    def _write(self, path: Path, names: tuple[str, ...], templates: str, embeds: Tensor) -> None:
        content = dict(names=list(names), embeds=embeds.cpu(), format=FORMAT)
        content |= dict(templates=list(get_templates(templates)), encoder=self._fingerprint)
        try:
            with atomic_path(path) as temporary:
                torch.save(content, temporary)
        except OSError as error:
            print_log(f'the text bank {path} cannot be kept, it will be built again: {error}.', 'current', logging.WARNING)


def _text_side(tower: TwoTower) -> nn.Module:
    return nn.ModuleDict(dict(text_tower=tower.text_tower, text_proj=tower.text_proj, tokenizer=tower.tokenizer))


def _read(path: Path, names: tuple[str, ...]) -> Tensor | None:
    """The embeddings of a file; None where there is none, or it is broken or something else."""
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
        embeds = content['embeds']
        if tuple(content['names']) != names or len(embeds) != len(names) or not bool(embeds.isfinite().all()):
            raise ValueError('its content is not that of a text bank of these names')
    except FileNotFoundError:
        return None
    # What torch.load raises on a foreign or half-written file, and what a file with other content does to the lines above.
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        print_log(f'the text bank {path} cannot be used and is built anew: {reason}.', 'current', logging.WARNING)
        return None
    return embeds
