"""Models; importing this package registers them all."""

from florence.models import backbones, language  # noqa: F401
