"""How the words of one text attend to the cells of one image in a METER model, ready to be drawn."""

import os
from pathlib import Path

import numpy as np
import torch

from florence.models.fusion import METERFusion, cross_attention_weights
from florence.models.fusion.attention_maps import heat_over_image
from florence.models.vision_language import METERModel
from florence.visualization import AttendedImage, draw_attention_sheet

WHOLE = '(whole text)'
"""Name of the first token, whose feature stands for the text."""


@torch.no_grad()
def word_attention(model: METERModel, image: np.ndarray, text: str) -> AttendedImage:
    """Attention of each word, and of the first token, which the answer is read from; the mean over heads and tokens of a word.

    Args:
        model: The model, in evaluation mode.
        image: `(H, W, 3)` uint8 RGB, at the size of the network input.
        text: Not empty.
    """
    encoder, tokenizer = model.encoder, model.tokenizer.tokenizer
    inputs = model.data_preprocessor({'inputs': [torch.from_numpy(image).permute(2, 0, 1)]})['inputs']  # (1, 3, H, W)
    maps = encoder.image_tower(inputs)
    ids = model.tokenizer.encode([text])
    tokens, mask = encoder.encode_tokens(ids['input_ids'], ids['attention_mask'])
    assert isinstance(encoder.fusion, METERFusion)
    weights = cross_attention_weights(encoder.fusion, tokens, encoder.encode_maps(maps), mask)
    rows = weights[:, 0].mean(1).cpu()  # (layers, 1, H, L_t, L_i) -> (layers, L_t, L_i)
    input_ids = ids['input_ids'][0].tolist()
    groups: list[list[int]] = []
    for place, begins in enumerate(tokenizer.begins_word(ids['input_ids'])[0].tolist()):
        if input_ids[place] in tokenizer.special_ids:
            continue
        if begins or not groups:
            groups.append([])
        groups[-1].append(place)
    words = [WHOLE, *(tokenizer.decode([input_ids[place] for place in group]) for group in groups)]
    of_words = torch.stack([rows[:, 0], *(rows[:, group].mean(1) for group in groups)], 1)  # (layers, W, L_i)
    grids = [(feature_map.shape[2], feature_map.shape[3]) for feature_map in maps]
    heat = heat_over_image(of_words, grids, (image.shape[0], image.shape[1]))
    return AttendedImage(image, text, words, heat.numpy())


def draw_word_attention(model: METERModel, image: np.ndarray, text: str, path: str | os.PathLike) -> str:
    """Draw `word_attention`; returns the path."""
    draw_attention_sheet(word_attention(model, image, text), path)
    return str(Path(path))
