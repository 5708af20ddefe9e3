"""A trained network leaves the workshop: whole models in one file, prediction on pictures, other tools' names.

`Model` is a network with its classes and the way from a picture to its input; `load_model` (`pellucid.load`) and
`Model.save` read and write it as one safetensors file. `torch_state` and its kin speak PyTorch's names.
"""

from pellucid.shipping.model import Model, Prediction
from pellucid.shipping.model_file import ModelFileError, load_model, save_model
from pellucid.shipping.preprocessing import Preprocessing
from pellucid.shipping.torch_weights import load_torch_state, read_torch_weights, torch_state, write_torch_weights

__all__ = [
    "Model",
    "Prediction",
    "Preprocessing",
    "ModelFileError",
    "load_model",
    "save_model",
    "torch_state",
    "load_torch_state",
    "write_torch_weights",
    "read_torch_weights",
]
