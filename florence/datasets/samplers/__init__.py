"""Samplers of data sets: endless, addressed by position, so that a run resumes at any iteration at no cost."""

from florence.datasets.samplers.balanced_sampler import BalancedSampler
from florence.datasets.samplers.mixture_sampler import MixtureSampler
from florence.datasets.samplers.position_sampler import PositionSampler
from florence.datasets.samplers.shuffled_sampler import ShuffledSampler

__all__ = ['BalancedSampler', 'MixtureSampler', 'PositionSampler', 'ShuffledSampler']
