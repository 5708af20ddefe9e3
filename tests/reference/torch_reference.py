"""What PyTorch computes for the shared table of cases: outputs and gradients in float64.

    python tests/reference/torch_reference.py      # writes torch_reference.safetensors beside it; needs torch

The results are kept in the repository, so that every machine checks our layers against PyTorch's without installing it.
Made with PyTorch 2.13.0 on a CPU.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "src")]

from pairs import CASES, upstream  # noqa: E402


def conv(x, w, b, conv_param):
    return F.conv2d(
        x, w, b, conv_param["stride"], conv_param["pad"], conv_param.get("dilation", 1), conv_param.get("groups", 1)
    )


def max_pool(x, pool_param):
    return F.max_pool2d(x, (pool_param["pool_height"], pool_param["pool_width"]), pool_param["stride"])


def avg_pool(x, pool_param):
    return F.avg_pool2d(x, (pool_param["pool_height"], pool_param["pool_width"]), pool_param["stride"])


def affine(x, w, b):
    return x.flatten(1) @ w + b


def batchnorm(x, gamma, beta, bn_param):
    if bn_param["mode"] == "train":
        return F.batch_norm(x, None, None, gamma, beta, training=True, eps=bn_param.get("eps", 1e-5))
    running = (torch.tensor(bn_param[key]) for key in ("running_mean", "running_var"))
    return F.batch_norm(x, *running, gamma, beta, training=False, eps=bn_param.get("eps", 1e-5))


def layernorm(x, gamma, beta, ln_param):
    return F.layer_norm(x, x.shape[1:], gamma, beta, ln_param.get("eps", 1e-5))


def groupnorm(x, gamma, beta, G, gn_param):
    return F.group_norm(x, G, gamma.flatten(), beta.flatten(), gn_param["eps"])


def softmax_loss(x, y):
    return F.cross_entropy(x, torch.tensor(y))


def smoothed_softmax_loss(x, y, smoothing):
    return F.cross_entropy(x, torch.tensor(y), label_smoothing=smoothing)


def svm_loss(x, y):
    # PyTorch divides the sum over the classes by their number, the course does not
    return F.multi_margin_loss(x, torch.tensor(y), margin=1.0) * x.shape[1]


def conv_pool_bn_relu(x, w, b, gamma, beta, conv_param, pool_param, bn_param):
    return torch.relu(batchnorm(max_pool(conv(x, w, b, conv_param), pool_param), gamma, beta, bn_param))


def conv_bn_relu(x, w, b, gamma, beta, conv_param, bn_param):
    return torch.relu(batchnorm(conv(x, w, b, conv_param), gamma, beta, bn_param))


REFERENCES = {
    "conv": conv,
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "affine": affine,
    "relu": torch.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "batchnorm": batchnorm,
    "layernorm": layernorm,
    "spatial_batchnorm": batchnorm,
    "spatial_groupnorm": groupnorm,
    "softmax_loss": softmax_loss,
    "smoothed_softmax_loss": smoothed_softmax_loss,
    "svm_loss": svm_loss,
    "affine_relu": lambda *a: torch.relu(affine(*a)),
    "conv_relu": lambda *a: torch.relu(conv(*a)),
    "conv_relu_pool": lambda *a: max_pool(torch.relu(conv(*a[:-1])), a[-1]),
    "conv_bn_relu": conv_bn_relu,
    "conv_bn_relu_pool": lambda *a: max_pool(conv_bn_relu(*a[:-1]), a[-1]),
    "conv_pool_bn_relu": conv_pool_bn_relu,
}
"""Everything but dropout, whose random numbers are its own; tests/layers/test_dropout.py has its reference."""


def reference(operation, case):
    """PyTorch's output and gradients for one case, by name."""
    arrays = {name: torch.tensor(array, requires_grad=True) for name, array in case.arrays.items()}
    out = REFERENCES[operation](*arrays.values(), *case.params)
    out.backward(torch.tensor(upstream(out.detach().numpy())))
    return {"out": out.detach().numpy()} | {f"d{name}": t.grad.numpy() for name, t in arrays.items()}


def one_sample_in_training(operation, case):
    """PyTorch refuses to normalise a batch of a single value a channel; we define it."""
    return (
        operation in ("batchnorm", "spatial_batchnorm")
        and "one sample" in case.name
        and case.params[0]["mode"] == "train"
    )


def all_references():
    return {
        f"{operation}/{case.name}/{name}": np.asarray(array, order="C")
        for operation in REFERENCES
        for case in CASES[operation]
        if not one_sample_in_training(operation, case)
        for name, array in reference(operation, case).items()
    }


if __name__ == "__main__":
    tensors = all_references()
    save_file(tensors, HERE / "torch_reference.safetensors", metadata={"made with": f"PyTorch {torch.__version__}"})
    print(f"{len(tensors)} arrays, {sum(t.nbytes for t in tensors.values()):,} bytes")
