"""Training losses."""

from florence.models.losses.unicl import UniCLLoss

__all__ = ['UniCLLoss']
