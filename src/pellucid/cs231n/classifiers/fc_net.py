"""``cs231n.classifiers.fc_net``: the fully connected networks.

The arguments of earlier years are understood too: ``dropout`` (2018 to 2020 the probability to keep, 1 for none; 2016
and 2017 the probability to drop, 0 for none) and ``use_batchnorm`` (2016 and 2017).
"""

import numpy as np

from pellucid.cs231n.layer_utils import *
from pellucid.models import FullyConnectedNet as _FullyConnectedNet
from pellucid.models import TwoLayerNet


class FullyConnectedNet(_FullyConnectedNet):
    """`pellucid.models.FullyConnectedNet` under the course's arguments of every year.

    Parameters
    ----------
    dropout : float, optional
        2018 to 2020: the probability to keep a unit. With ``use_batchnorm`` given, as in 2016 and 2017: the probability
        to drop it. 0 and 1 both mean no dropout.
    use_batchnorm : bool, optional
        2016 and 2017: ``normalization='batchnorm'``.
    others
        As in `pellucid.models.FullyConnectedNet`.
    """

    def __init__(self, hidden_dims, *args, dropout=None, use_batchnorm=None, **kwargs):
        if dropout is not None:
            if "dropout_keep_ratio" in kwargs:
                raise ValueError("FullyConnectedNet: give dropout_keep_ratio or the older dropout, not both")
            dropped = use_batchnorm is not None and 0 < dropout < 1
            kwargs["dropout_keep_ratio"] = 1 if dropout == 0 else 1 - dropout if dropped else dropout
        if use_batchnorm is not None:
            if kwargs.get("normalization") is not None:
                raise ValueError("FullyConnectedNet: give normalization or the older use_batchnorm, not both")
            kwargs["normalization"] = "batchnorm" if use_batchnorm else None
        super().__init__(hidden_dims, *args, **kwargs)
