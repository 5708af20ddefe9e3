"""Files become arrays: data sets by name, folders of pictures, and splits of them.

In reading order: ``byte_images`` (bytes that look like floats), ``dataset`` (parts and splits), ``places``,
``catalogue`` and ``fetch`` (where files are and how they get there), ``cifar10``, ``idx`` and ``digits`` (readers of
known files), ``pictures``, ``listing``, ``layout``, ``decoding``, ``cache`` and ``folder`` (image folders and zips),
``sources`` (one door).
"""

from pellucid.data.byte_images import ByteImages
from pellucid.data.cifar10 import get_CIFAR10_data, load_cifar10
from pellucid.data.dataset import Dataset, channel_statistics, mean_image, pixel_deviation
from pellucid.data.digits import load_digits
from pellucid.data.folder import load_image_folder
from pellucid.data.idx import load_fashion_mnist, load_idx_folder, load_mnist, read_idx
from pellucid.data.places import data_folder
from pellucid.data.sources import describe, fetch_dataset, open_dataset

__all__ = [
    "ByteImages",
    "Dataset",
    "channel_statistics",
    "data_folder",
    "describe",
    "fetch_dataset",
    "get_CIFAR10_data",
    "load_cifar10",
    "load_digits",
    "load_fashion_mnist",
    "load_idx_folder",
    "load_image_folder",
    "load_mnist",
    "mean_image",
    "open_dataset",
    "pixel_deviation",
    "read_idx",
]
