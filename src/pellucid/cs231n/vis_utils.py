"""``cs231n.vis_utils``: images and filters as one picture."""

from pellucid.inspect import vis_grid, vis_nn, visualize_grid

__all__ = ["vis_grid", "vis_nn", "visualize_grid"]
