"""Inferencers and loading of models: what a notebook user imports."""

from florence.apis.retrieval import EmbeddedDataset, embed_dataset
from florence.apis.two_tower_inferencer import TwoTowerInferencer
from florence.apis.two_tower_loading import load_two_tower

__all__ = ['EmbeddedDataset', 'TwoTowerInferencer', 'embed_dataset', 'load_two_tower']
