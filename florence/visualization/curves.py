"""The course of a training run: loss, metrics of the validations, learning rate."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from florence.atomic_files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEADLINE_METRICS = ('top1', 'mAP', 'R@1')
"""Ends of the metric names that are drawn unless others are asked for."""

COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
"""Okabe and Ito's palette, which stays readable with colour blindness."""


def draw_loss_curve(
    log_records: Sequence[Mapping[str, Any]],
    path: str | os.PathLike,
    *,
    metrics: Sequence[str] | None = None,
    title: str | None = None,
) -> None:
    """Draw the loss (raw and smoothed), metrics at each validation, and the learning rate, one panel each.

    Args:
        log_records: As `read_log_records` gives: training records have `step` and `loss`, others have metrics.
        path: Picture to write; the ending gives the format.
        metrics: Names to draw; None = those that end with one of `HEADLINE_METRICS`, or all if none does.
        title: Heading.

    Raises:
        ValueError: If there is no training record, or a metric that is asked for.
    """
    training = [record for record in log_records if 'loss' in record]
    if not training:
        raise ValueError('the log has no training record with a loss: train for at least one logging interval.')
    series = _metric_series(log_records, metrics)
    rates = [(record['step'], record['lr']) for record in training if 'lr' in record]

    from matplotlib.figure import Figure

    heights = [3.0] + [2.0] * bool(series) + [1.0] * bool(rates)
    figure = Figure(figsize=(10, 0.8 + 1.1 * sum(heights)), layout='constrained')
    panels = iter(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0])
    _draw_loss(panel := next(panels), training)
    if series:
        _draw_metrics(panel := next(panels), series)
    if rates:
        panel = next(panels)
        panel.plot(*zip(*rates, strict=True), color=COLORS[2], linewidth=1.5)
        panel.set_ylabel('learning rate')
        panel.ticklabel_format(axis='y', style='sci', scilimits=(-3, 3))
        panel.set_ylim(bottom=0)
    panel.set_xlabel('iteration')
    for panel in figure.axes:
        panel.grid(color='0.9')
        panel.set_axisbelow(True)
        panel.spines[['top', 'right']].set_visible(False)
    figure.align_ylabels()
    if title:
        figure.suptitle(title)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _draw_loss(panel: 'Axes', training: Sequence[Mapping[str, Any]]) -> None:
    steps = np.array([record['step'] for record in training])
    loss = np.array([record['loss'] for record in training], dtype=float)
    finite = np.isfinite(loss)
    shown = np.where(finite, loss, np.nan)
    panel.plot(steps, shown, color=COLORS[0], alpha=0.3, linewidth=1, label='as logged')
    panel.plot(steps, smooth(loss), color=COLORS[0], linewidth=2, label='smoothed')
    if not finite.all():
        bottom = np.zeros((~finite).sum())
        panel.plot(
            steps[~finite], bottom, 'x', color=COLORS[1], label='not finite', clip_on=False,
            transform=panel.get_xaxis_transform(),
        )  # fmt: skip
    panel.set_ylabel('training loss')
    _legend_beside(panel)


def _draw_metrics(panel: 'Axes', series: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    # Best first, so that the legend has the order of the curves' ends.
    by_last_value = sorted(series.items(), key=lambda item: -item[1][-1][1])
    for index, (name, points) in enumerate(by_last_value):
        style = ('-', '--', ':')[index // len(COLORS) % 3]
        color = COLORS[index % len(COLORS)]
        label = f'{name}  {points[-1][1]:.1f}'
        panel.plot(*zip(*points, strict=True), style, marker='o', markersize=4, color=color, label=label)
    panel.set_ylabel('validation')
    _legend_beside(panel, title='last value')


def _legend_beside(panel: 'Axes', title: str | None = None) -> None:
    """Inside the panel, a legend hides the points that it names."""
    panel.legend(frameon=False, loc='center left', bbox_to_anchor=(1.01, 0.5), title=title)


def smooth(values: np.ndarray) -> np.ndarray:
    """Centred moving average over a twentieth of the values, at least three; leaves out what is not finite.

    Args:
        values: `(N,)`.
    """
    half = max(1, len(values) // 40)
    finite = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(finite, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(finite)])
    first = np.maximum(np.arange(len(values)) - half, 0)
    last = np.minimum(np.arange(len(values)) + half + 1, len(values))
    number = count[last] - count[first]
    return np.where(number > 0, (total[last] - total[first]) / np.maximum(number, 1), np.nan)


def _metric_series(log_records: Sequence[Mapping[str, Any]], metrics: Sequence[str] | None) -> dict[str, list[tuple[int, float]]]:
    """Points (iteration, value) of each metric to draw."""
    series: dict[str, list[tuple[int, float]]] = {}
    iteration = 0
    for record in log_records:
        if 'loss' in record:
            iteration = record['step']
            continue
        # A validation is logged with its iteration or, in training by epoch, with the number of its epoch.
        at = max(iteration, record.get('step', 0))
        for name, value in record.items():
            if name not in ('step', 'time', 'data_time') and isinstance(value, int | float):
                series.setdefault(name, []).append((at, value))
    if metrics is not None:
        unknown = [name for name in metrics if name not in series]
        if unknown:
            raise ValueError(f'no validation in the log has {unknown}; it has {sorted(series)}.')
        return {name: series[name] for name in metrics}
    headline = {name: points for name, points in series.items() if name.endswith(HEADLINE_METRICS)}
    return headline or series
