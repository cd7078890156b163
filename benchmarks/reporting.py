"""What every benchmark's report has in common: the machine it was made on, and where it goes."""

import json
import platform
from pathlib import Path
from typing import Any

import torch

from florence.atomic_files import write_json


def hardware(device: str = 'cpu') -> str:
    """Name of a processor with its instruction set, or of a GPU."""
    if device != 'cpu':
        return torch.cuda.get_device_name(device)
    cpuinfo = Path('/proc/cpuinfo')
    names = [line for line in cpuinfo.read_text().splitlines() if 'model name' in line] if cpuinfo.exists() else []
    name = names[0].split(':')[1].strip() if names else platform.processor()
    return f'{name}, {torch.backends.cpu.get_cpu_capability()}'


def resident_mb(field: str) -> float:
    """`VmRSS`, now, or `VmHWM`, at its peak; unlike `getrusage`, not mixed with the process that started this one."""
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise SystemExit('error: peak memory is read from /proc/self/status, which this system has not')


def publish(report: dict[str, Any], file: Path | None) -> None:
    """Print a report as one line of JSON, and write it to a file where one is given."""
    print(json.dumps(report))
    if file:
        write_json(file, report)
