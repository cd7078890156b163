"""Small shards in the WebDataset layout, with faults where a test wants them."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

PER_SHARD = 6


def jpg_bytes(level: int, side: int = 8) -> bytes:
    """A JPEG file of one grey level."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), level, np.uint8)).save(buffer, 'JPEG')
    return buffer.getvalue()


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    """Write one tar file."""
    with tarfile.open(path, 'w') as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def write_shards(folder: Path, count: int, replace: dict[str, bytes | None] | None = None) -> str:
    """Write shards of six samples and give their pattern; `replace` changes members by name, None removes one."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(count):
        members = {}
        for number in range(PER_SHARD):
            key = f'{shard:02d}_{number:02d}'
            members |= {f'{key}.jpg': jpg_bytes(number), f'{key}.txt': f'picture {key}'.encode()}
            members[f'{key}.json'] = json.dumps({'text': [f'first of {key}', f'second of {key}']}).encode()
        members = {name: (replace or {}).get(name, data) for name, data in members.items()}
        write_tar(folder / f'{shard:02d}.tar', {name: data for name, data in members.items() if data is not None})
    return str(folder / f'{{00..{count - 1:02d}}}.tar')


def all_keys(count: int) -> list[str]:
    """Keys of all samples, in order."""
    return [f'{shard:02d}_{number:02d}' for shard in range(count) for number in range(PER_SHARD)]


def keys_of(samples) -> list[str]:
    """Keys of samples that a pipeline ending in `PackImageText` has made."""
    return [sample['data_samples'].sample_id.rsplit('/', 1)[1] for sample in samples]
