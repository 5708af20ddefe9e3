"""Looking inside: filters, curves, confusion, what each layer makes of an image, and what in it speaks for a class;
drawings for lessons."""

from pellucid.inspect.activations import Activation, activations
from pellucid.inspect.attention import cam_layer, grad_cam, saliency
from pellucid.inspect.confusion import confusion_figure
from pellucid.inspect.diagrams import Stage, flow_figure, neuron_figure
from pellucid.inspect.drawings import Matrix, Volume, matrices_figure, volumes_figure, window_figure
from pellucid.inspect.figures import (
    draw_image,
    filters_figure,
    imshow_no_ax,
    imshow_noax,
    save_figure,
    training_figure,
)
from pellucid.inspect.grid import stretched, vis_grid, vis_nn, visualize_grid
from pellucid.inspect.maps import filter_picture, maps_sheet, overlay, png
from pellucid.inspect.photographs import (
    bundled_photographs,
    filter_figure,
    photograph_filters,
    square_photo,
)
from pellucid.inspect.receptive_field import receptive_field
from pellucid.inspect.runs import AccuracyPoint, accuracy_figure, runs_figure
from pellucid.inspect.strongest import Strongest, strongest

__all__ = [
    "AccuracyPoint",
    "Activation",
    "Matrix",
    "Stage",
    "Strongest",
    "Volume",
    "accuracy_figure",
    "activations",
    "bundled_photographs",
    "cam_layer",
    "confusion_figure",
    "draw_image",
    "filter_figure",
    "filter_picture",
    "filters_figure",
    "flow_figure",
    "grad_cam",
    "imshow_no_ax",
    "imshow_noax",
    "maps_sheet",
    "matrices_figure",
    "neuron_figure",
    "overlay",
    "photograph_filters",
    "png",
    "receptive_field",
    "runs_figure",
    "saliency",
    "save_figure",
    "square_photo",
    "stretched",
    "strongest",
    "training_figure",
    "vis_grid",
    "vis_nn",
    "visualize_grid",
    "volumes_figure",
    "window_figure",
]
