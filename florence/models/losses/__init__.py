"""Training losses."""

from florence.models.losses.federated_focal import FederatedFocalLoss
from florence.models.losses.unicl import UniCLLoss

__all__ = ['FederatedFocalLoss', 'UniCLLoss']
