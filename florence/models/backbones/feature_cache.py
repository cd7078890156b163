"""Feature maps of images kept on disk, found by the content of the image and of the weights that made them.

The name of an entry is a hash of the pixels that entered the encoder and of the encoder's weights: nothing has to be said about
files, augmentations or versions. The same picture flipped, or scaled to one of three sizes, is another entry, found again when it
comes again; other weights never meet foreign features.
"""

import hashlib
import logging
import pickle
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from florence.atomic_files import atomic_path

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


def weights_fingerprint(module: nn.Module) -> str:
    """Hash of all parameters and buffers, with their names."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in module.state_dict().items():
        digest.update(f'{name}{tuple(tensor.shape)}{tensor.dtype}'.encode())
        digest.update(_raw_bytes(tensor))
    return digest.hexdigest()


class FeatureCache:
    """A folder of feature maps.

    Args:
        folder: Where they lie; several processes may share it.
        dtype: 'float32' keeps them exactly; 'bfloat16' and 'float16' take half the space.
        max_gigabytes: No more is written once the folder holds this much; None: no bound.

    Attributes:
        hits, misses: Images found and not found since the start.

    Raises:
        ValueError: If the dtype is unknown.
    """

    def __init__(self, folder: str, dtype: str = 'float32', max_gigabytes: float | None = None) -> None:
        if dtype not in DTYPES:
            raise ValueError(f'FeatureCache: dtype must be one of {tuple(DTYPES)}, got {dtype!r}.')
        self.folder, self.dtype = Path(folder), DTYPES[dtype]
        self.hits = self.misses = 0
        self._bytes_left = None if max_gigabytes is None else max_gigabytes * 1e9 - _size_of(self.folder)

    def key(self, image: Tensor, fingerprint: str) -> str:
        """Name of the entry of one image `(C, H, W)`."""
        digest = hashlib.blake2b(f'{fingerprint}{tuple(image.shape)}{image.dtype}{self.dtype}'.encode(), digest_size=20)
        digest.update(_raw_bytes(image))
        return digest.hexdigest()

    def read(self, key: str) -> list[Tensor] | None:
        """The maps of an entry; None where there is none, or only the rest of a broken one."""
        path = self._path(key)
        try:
            maps = torch.load(path, weights_only=True)
        except FileNotFoundError:
            maps = None
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError):
            print_log(f'{path} cannot be read, its features are computed again.', 'current', logging.WARNING)
            maps = None
        if maps is None:
            self.misses += 1
        else:
            self.hits += 1
        return maps

    def write(self, key: str, maps: Sequence[Tensor]) -> None:
        """Keep the maps of one image, `(C_i, H_i, W_i)` each, unless the folder is full."""
        stored = [_stored(feature, self.dtype) for feature in maps]
        if self._bytes_left is not None:
            if self._bytes_left <= 0:
                return
            self._bytes_left -= sum(feature.nbytes for feature in stored)
            if self._bytes_left <= 0:
                print_log(f'{self.folder} has reached its bound: further features are not kept.', 'current', logging.WARNING)
        with atomic_path(self._path(key), durable=False) as temporary:
            torch.save(stored, temporary)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f'{key[2:]}.pt'


def _stored(feature: Tensor, dtype: torch.dtype) -> Tensor:
    """A compact copy in the channels-last order of strides that the towers produce."""
    return feature.detach().to('cpu', dtype).permute(1, 2, 0).contiguous().permute(2, 0, 1)


def _raw_bytes(tensor: Tensor) -> memoryview:
    return memoryview(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob('*.pt')) if folder.is_dir() else 0
