"""A trained network leaves the workshop: whole models in one file, prediction on pictures, other tools' names.

`Model` is a network with its classes and the way from a picture to its input; `load_model` (`pellucid.load`) and
`Model.save` read and write it as one safetensors file. `torch_state` and `load_torch_state` speak PyTorch's names.
"""

from pellucid.shipping.model import Model, Prediction
from pellucid.shipping.model_file import ModelFileError, load_model, save_model
from pellucid.shipping.preprocessing import Preprocessing

__all__ = ["Model", "ModelFileError", "Prediction", "Preprocessing", "load_model", "save_model"]
