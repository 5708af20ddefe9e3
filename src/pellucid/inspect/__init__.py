"""Pictures: filters, training curves, and photographs as filters see them."""

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

__all__ = [
    "bundled_photographs",
    "draw_image",
    "filter_figure",
    "filters_figure",
    "imshow_no_ax",
    "imshow_noax",
    "photograph_filters",
    "save_figure",
    "square_photo",
    "stretched",
    "training_figure",
    "vis_grid",
    "vis_nn",
    "visualize_grid",
]
