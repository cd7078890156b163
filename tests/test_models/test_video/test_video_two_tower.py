"""The two towers on clips: static clips, plain formulas, weights of an image model, training, views, padding."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from florence.datasets.transforms import PackVideoText
from florence.models.two_tower import TwoTower
from florence.models.video import VideoTwoTower
from florence.structures import ImageTextSample
from florence.tasks.text_hash import text_label

CAPTIONS = ['a red seven moves left', 'a blue two grows', 'a green nine turns']
ARCH = dict(embed_dims=(8, 16, 16, 24), depths=(2, 2, 2, 2), num_heads=(1, 1, 2, 2), window_size=4)
OF_MODE = {'frames': 'CoSwin', 'tube': 'VideoCoSwin'}


def parts(tower):
    return dict(
        image_tower=dict(type=tower, arch=ARCH),
        text_tower=dict(type='TextTransformer', vocab_size=300, embed_dims=16, num_layers=1, num_heads=2, mlp_dims=32),
        tokenizer=dict(type='TrainedBPE', vocab_size=300, context_length=32),
        embed_dims=12,
    )


@pytest.fixture
def image_model():
    model = TwoTower(**parts('CoSwin')).eval()
    model.tokenizer.tokenizer.train(CAPTIONS)
    with torch.no_grad():
        for parameter in model.image_tower.parameters():  # fresh weights leave bias tables and residual paths near zero
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def video_model(image_model, mode):
    model = VideoTwoTower(**parts(OF_MODE[mode]), mode=mode).eval()
    model.load_state_dict({name: value.clone() for name, value in image_model.state_dict().items()})
    return model


def sample(text, **fields):
    item = ImageTextSample(metainfo=dict(sample_id=text))
    item.set_data(dict(text=text, label=text_label(text), **fields))
    return item


def clips(count=3, length=4, size=32):
    return [torch.randint(0, 256, (3, length, size, size), dtype=torch.uint8) for _ in range(count)]


@pytest.mark.parametrize('mode', OF_MODE)
@pytest.mark.parametrize(('length', 'size'), [(1, 32), (4, 32), (5, 45), (9, 64)])
def test_a_static_clip_has_the_embedding_of_its_image(image_model, mode, length, size):
    model = video_model(image_model, mode)
    images = torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8)
    still = images[:, :, None].expand(-1, -1, length, -1, -1)
    with torch.no_grad():
        want = image_model.encode_image(image_model.data_preprocessor(dict(inputs=images))['inputs'])
        got = model.encode_image(model.data_preprocessor(dict(inputs=list(still)))['inputs'])
    assert not torch.allclose(want[0], want[1], atol=1e-3)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-5)


def test_frames_are_normalised_before_the_mean(image_model):
    model = video_model(image_model, 'frames')
    inputs = model.data_preprocessor(dict(inputs=clips()))['inputs']
    with torch.no_grad():
        frames = torch.stack([image_model.encode_image(inputs[:, :, t]) for t in range(4)])
        torch.testing.assert_close(model.encode_image(inputs), F.normalize(frames.mean(0), dim=1), rtol=0, atol=1e-6)


def test_tubes_see_the_order_of_frames_and_frames_do_not(image_model):
    inputs = torch.randn(1, 3, 8, 32, 32)
    # Not reversed: fresh from an image tower, tubes look the same both ways.
    other = inputs[:, :, [0, 4, 1, 5, 2, 6, 3, 7]]
    moved = {}
    for mode in OF_MODE:
        model = video_model(image_model, mode)
        with torch.no_grad():
            moved[mode] = (model.encode_image(inputs) - model.encode_image(other)).abs().max()
    assert moved['frames'] < 1e-5 < 1e-3 < moved['tube']


def test_views_are_averaged(image_model):
    model = video_model(image_model, 'tube')
    views = torch.randn(2, 3, 3, 4, 32, 32)
    classes = ('red seven', 'blue two', 'green nine')
    items = [sample(text, classes=classes) for text in CAPTIONS[:2]]
    with torch.no_grad():
        each = torch.stack([model.encode_image(views[:, index]) for index in range(3)])  # (V, B, D)
        classifier = model.class_embeddings(classes, 'simple')
    results = model(views, items, mode='predict')
    for index, item in enumerate(results):
        torch.testing.assert_close(item.image_embeds, F.normalize(each[:, index].mean(0), dim=0), rtol=0, atol=1e-6)
        averaged = (each[:, index] @ classifier.t()).mean(0)
        assert item.pred_scores.argsort().tolist() == averaged.argsort().tolist()


def test_padding_is_left_out_of_the_mean(image_model):
    model = video_model(image_model, 'frames')
    short = [np.random.randint(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(3)]
    pad = PackVideoText(pad_to=5)
    whole = PackVideoText()
    padded = pad(dict(imgs=short, sample_id='a', captions=('a',)))
    full = pad(dict(imgs=short + short[:2], sample_id='b', captions=('b',)))
    assert padded['inputs'].shape == full['inputs'].shape == (3, 5, 32, 32) and padded['data_samples'].num_frames == 3
    batch = dict(inputs=[padded['inputs'], full['inputs']], data_samples=[padded['data_samples'], full['data_samples']])
    got = model(**model.data_preprocessor(batch), mode='predict')
    for item, frames in zip(got, (short, short + short[:2]), strict=True):
        alone = whole(dict(imgs=frames, sample_id='c', captions=('c',)))
        inputs = model.data_preprocessor(dict(inputs=[alone['inputs']]))['inputs']
        with torch.no_grad():
            torch.testing.assert_close(item.image_embeds, model.encode_image(inputs)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize('mode', OF_MODE)
def test_training_reaches_every_parameter(image_model, mode):
    model = video_model(image_model, mode).train()
    batch = dict(inputs=clips(), data_samples=[sample(text) for text in CAPTIONS])
    losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
    assert set(losses) == {'loss_unicl', 'logit_scale'}
    losses['loss_unicl'].backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_preprocessor_normalises_per_channel_whatever_the_length():
    model = VideoTwoTower(**parts('CoSwin'), mode='frames')
    # As many frames as channels: a mean taken along the wrong axis would pass unseen otherwise.
    clip = torch.full((3, 3, 4, 4), 255, dtype=torch.uint8)
    got = model.data_preprocessor(dict(inputs=[clip, clip]))['inputs']
    want = torch.tensor([(1 - 0.48145466) / 0.26862954, (1 - 0.4578275) / 0.26130258, (1 - 0.40821073) / 0.27577711])
    torch.testing.assert_close(got, want.view(1, 3, 1, 1, 1).expand(2, 3, 3, 4, 4), rtol=1e-4, atol=1e-4)
    assert model.data_preprocessor(dict(inputs=[clip[None].expand(2, -1, -1, -1, -1)]))['inputs'].shape == (1, 2, 3, 3, 4, 4)


def test_mistakes_are_named(image_model):
    with pytest.raises(ValueError, match="mode must be one of .*'clip'"):
        VideoTwoTower(**parts('CoSwin'), mode='clip')
    with pytest.raises(ValueError, match="'tube' needs an image_tower such as VideoCoSwin, got CoSwin"):
        VideoTwoTower(**parts('CoSwin'), mode='tube')
    with pytest.raises(ValueError, match="'frames' needs an image_tower such as CoSwin, got VideoCoSwin"):
        VideoTwoTower(**parts('VideoCoSwin'), mode='frames')
    with pytest.raises(ValueError, match='ImageTextPreprocessor is for images'):
        VideoTwoTower(**parts('CoSwin'), mode='frames', data_preprocessor=dict(type='ImageTextPreprocessor'))
    model = video_model(image_model, 'frames')
    with pytest.raises(ValueError, match='PackVideoText'):
        model.encode_image(torch.zeros(2, 3, 32, 32))
    with pytest.raises(ValueError, match='one shape'):
        model.data_preprocessor(dict(inputs=clips(1, 4) + clips(1, 5)))
