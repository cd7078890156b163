"""Reading weights of every kind; folders of deepspeed are tested where one is written (`test_deepspeed_one_process.py`)."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from mmengine.runner import save_checkpoint

from florence.engine.strategies.read_checkpoint import read_checkpoint, require_states

WEIGHTS = {'layer.weight': torch.arange(6.0).view(2, 3), 'steps': torch.tensor(4)}


def plain(path):
    torch.save(WEIGHTS, path)


def ours(path):
    torch.save({'state_dict': WEIGHTS, 'meta': {'iter': 4}, 'optimizer': {}}, path)


def mmengine_s(path):
    save_checkpoint({'state_dict': WEIGHTS, 'meta': {'iter': 4}}, str(path))


def old_format(path):
    torch.save({'state_dict': WEIGHTS}, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize('write', [plain, ours, mmengine_s, old_format])
def test_files_of_every_kind(write, tmp_path):
    write(tmp_path / 'x.pth')
    checkpoint = read_checkpoint(tmp_path / 'x.pth')
    assert set(checkpoint['state_dict']) == set(WEIGHTS)
    for name, value in WEIGHTS.items():
        assert torch.equal(checkpoint['state_dict'][name], value) and checkpoint['state_dict'][name].device.type == 'cpu'
    assert checkpoint['meta'].get('iter', 4) == 4


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Address of a folder, and the folder."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    folder = tmp_path / 'served'
    folder.mkdir()
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}', folder
    server.shutdown()
    server.server_close()


def test_addresses(served):
    address, folder = served
    ours(folder / 'x.pth')
    checkpoint = read_checkpoint(f'{address}/x.pth')
    assert torch.equal(checkpoint['state_dict']['layer.weight'], WEIGHTS['layer.weight'])


def test_an_address_where_nothing_is(served):
    with pytest.raises(ValueError, match=r'none.pth cannot be read: .*404'):
        read_checkpoint(f'{served[0]}/none.pth')


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint '.*/other': check the path, or train the config of that name"):
        read_checkpoint(tmp_path / 'other')
    with pytest.raises(FileNotFoundError, match=r"no checkpoint '.*none.pth': check the path\.$"):
        read_checkpoint(tmp_path / 'none.pth')


def test_missing_states_are_named():
    checkpoint = {'meta': {'strategy': 'DDPStrategy'}, 'optimizer': {}}
    require_states(checkpoint, ['optimizer'], 'x.pth')
    with pytest.raises(ValueError, match='x.pth cannot be resumed, it has no optim_wrapper and no clock .it was saved by DDPStr'):
        require_states(checkpoint, ['optimizer', 'optim_wrapper', 'clock'], 'x.pth')
