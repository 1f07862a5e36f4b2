"""Checks of matplotlib figures."""

from matplotlib.figure import Figure


def legend_overlaps_curve(figure: Figure) -> bool:
    """True if a curve or a reference line runs behind a legend of `figure`."""
    figure.canvas.draw()
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend()] + figure.legends
    boxes = [legend.get_window_extent() for legend in legends]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 for box in boxes)
    lines = [line for axes in figure.axes for line in axes.lines]
    paths = [line.get_transform().transform_path(line.get_path()).clip_to_bbox(line.axes.bbox) for line in lines]
    return any(path.intersects_bbox(box, filled=False) for path in paths for box in boxes)
