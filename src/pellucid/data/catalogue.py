"""What can be loaded by name, and where its files are published: plain data.

A file is pinned by its exact size and SHA-256, whoever serves it, so a mirror needs no trust. For gzip files the
SHA-256 of the content is pinned as well: the same content is also published in other wrappings (Debian's package
``dataset-fashion-mnist`` has its own gzip headers).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RemoteFile:
    """One published file: its name, its exact size, and the SHA-256 of its bytes (and of its content, unpacked)."""

    name: str
    size_bytes: int
    sha256: str
    sha256_unpacked: str | None = None


@dataclass(frozen=True)
class Entry:
    """One data set: what it is, its files, and the addresses (each ending in "/") that serve all of them, in order."""

    name: str
    title: str
    images: int
    image_shape: tuple[int, int, int]  # channels, height, width
    classes: tuple[str, ...]
    files: tuple[RemoteFile, ...]
    mirrors: tuple[str, ...]
    note: str
    system_folders: tuple[str, ...] = ()  # where a system's own package puts the files

    def urls(self, file: RemoteFile) -> tuple[str, ...]:
        """The addresses of one of the files, in the order in which they are tried."""
        return tuple(mirror + file.name for mirror in self.mirrors)


CIFAR10 = Entry(
    name="cifar10",
    title="CIFAR-10: small colour photographs",
    images=60_000,
    image_shape=(3, 32, 32),
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    files=(
        RemoteFile(
            "cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
    mirrors=(
        # The origin has answered at 50 to 85 kB/s since the middle of 2026, and may need the better part of an hour.
        "https://www.cs.toronto.edu/~kriz/",
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/",
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
    ),
    note="Krizhevsky, Learning multiple layers of features from tiny images, 2009. No licence is stated; for research.",
)

MNIST = Entry(
    name="mnist",
    title="MNIST: handwritten digits",
    images=70_000,
    image_shape=(1, 28, 28),
    classes=tuple("0123456789"),
    files=(
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            "ff7bcfd416de33731a308c3f266cd351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    note="LeCun, Cortes and Burges, 1998. No licence is stated by the authors.",
)

FASHION_MNIST = Entry(
    name="fashion-mnist",
    title="Fashion-MNIST: articles of clothing",
    images=70_000,
    image_shape=(1, 28, 28),
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    files=(
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz",
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    note="Xiao, Rasul and Vollgraf, Zalando SE, 2017. MIT licence.",
    system_folders=("/usr/share/datasets/fashion-mnist",),
)

DIGITS = Entry(
    name="digits",
    title="Digits: small handwritten digits, bundled with scikit-learn",
    images=1_797,
    image_shape=(1, 8, 8),
    classes=tuple("0123456789"),
    files=(),
    mirrors=(),
    note="Alpaydin and Kaynak, UCI Machine Learning Repository, 1998. CC BY 4.0.",
)

CATALOGUE = {entry.name: entry for entry in (CIFAR10, MNIST, FASHION_MNIST, DIGITS)}
