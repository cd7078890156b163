"""The two-tower model: contrastive pretraining, zero-shot classification, retrieval."""

from florence.models.two_tower.two_tower import TwoTower

__all__ = ['TwoTower']
