"""Pictures: filters, training curves, runs beside each other, confusion, and photographs as filters see them."""

from pellucid.inspect.confusion import confusion_figure
from pellucid.inspect.figures import (
    draw_image,
    filters_figure,
    imshow_no_ax,
    imshow_noax,
    save_figure,
    training_figure,
)
from pellucid.inspect.grid import stretched, vis_grid, vis_nn, visualize_grid
from pellucid.inspect.photographs import (
    bundled_photographs,
    filter_figure,
    photograph_filters,
    square_photo,
)
from pellucid.inspect.runs import AccuracyPoint, accuracy_figure, runs_figure

__all__ = [
    "AccuracyPoint",
    "accuracy_figure",
    "bundled_photographs",
    "confusion_figure",
    "draw_image",
    "filter_figure",
    "filters_figure",
    "imshow_no_ax",
    "imshow_noax",
    "photograph_filters",
    "runs_figure",
    "save_figure",
    "square_photo",
    "stretched",
    "training_figure",
    "vis_grid",
    "vis_nn",
    "visualize_grid",
]
