"""A training pipeline, and the log of bad samples as a list of lines."""

import logging

import pytest
from mmengine.logging import MMLogger


@pytest.fixture
def train_pipeline() -> list[dict]:
    return [
        dict(type='florence.LoadImage'),
        dict(type='florence.PickCaption'),
        dict(type='florence.HashTextLabel'),
        dict(type='florence.PackImageText'),
    ]


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def log_lines():
    """Messages that mmengine's logger gets in this process during the test."""
    logger, handler = MMLogger.get_current_instance(), _Lines()
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)
