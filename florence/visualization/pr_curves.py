"""Precision over recall of a detector: a panel per IoU threshold, a curve per class, and their mean."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from florence.atomic_files import atomic_path
from florence.visualization.curves import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_pr_curves(
    recalls: np.ndarray, precisions: Mapping[float, np.ndarray], names: Sequence[str], path: str | os.PathLike
) -> None:
    """Draw the curves; classes without objects have none. Up to six classes are told apart by colour, more are grey.

    Args:
        recalls: `(R,)`, rising from 0 to 1.
        precisions: By IoU threshold: best precision at or beyond each recall, `(R, K)`; below 0 for a class without objects.
        names: Names of the K classes.
        path: Picture to write; the ending gives the format.

    Raises:
        ValueError: If no class has objects, or a number of classes or recalls disagrees.
    """
    for precision in precisions.values():
        if precision.shape != (len(recalls), len(names)):
            raise ValueError(f'expected precision of shape {(len(recalls), len(names))}, got {precision.shape}.')
        if (precision < 0).all():
            raise ValueError('no class has objects: there is no curve to draw.')

    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5 * len(precisions), 4.8), layout='constrained')
    panels = figure.subplots(1, len(precisions), sharey=True, squeeze=False)[0]
    for panel, (threshold, precision) in zip(panels, precisions.items(), strict=True):
        _draw_panel(panel, recalls, precision, names)
        panel.set_title(f'IoU {threshold:g}')
        panel.set_xlabel('recall')
    panels[0].set_ylabel('precision')
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _draw_panel(panel: 'Axes', recalls: np.ndarray, precision: np.ndarray, names: Sequence[str]) -> None:
    present = np.flatnonzero((precision >= 0).all(0))
    few = len(present) <= 6
    for position, index in enumerate(present):
        style = dict(color=COLORS[position], linewidth=1.5) if few else dict(color='0.75', linewidth=0.8)
        # matplotlib takes what stands between dollars for a formula.
        name = names[index].replace('$', r'\$')
        label = f'{name}  {100 * precision[:, index].mean():.1f}' if few else None
        panel.plot(recalls, precision[:, index], label=label, **style)
    mean = precision[:, present].mean(1)
    panel.plot(recalls, mean, color='black', linewidth=2.5, label=f'mean of {len(present)}  {100 * mean.mean():.1f}')
    panel.set_xlim(0, 1)
    panel.set_ylim(0, 1.02)
    panel.grid(color='0.9')
    panel.set_axisbelow(True)
    panel.spines[['top', 'right']].set_visible(False)
    panel.legend(frameon=False, fontsize='small', title='AP')
