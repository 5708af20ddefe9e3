"""Files that claim a hundred gigabytes, and small files that unpack to gigabytes: what reading each of them takes.

Run as a program in a folder that is empty, it prints as JSON, for each: the megabytes that it took above what the
process had, the seconds, and what was said.
"""

import contextlib
import gzip
import io
import json
import resource
import struct
import sys
import time
import zipfile
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

HUNDRED_GB = 10**11
MOST_BYTES = 2**30
"""Above what the process has at its start: the system gives no more."""
ZEROS = gzip.compress(bytes(2**26), 9)
"""64 MB of them. Gzip files may stand one after the other: sixty of these are 4 GB."""


def safetensors(shape, offsets, metadata=None):
    header = json.dumps(
        {"__metadata__": metadata or {}, "w": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}
    )
    return len(header).to_bytes(8, "little") + header.encode()


def png(W, H, note=b""):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", W, H, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes((1 + 3 * W) * H)) if W * H < 100 else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + note + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def profile(kind):
    """A note of a PNG that unpacks to 256 MB."""
    content = b"a\0\0" + zlib.compress(bytes(2**28), 9)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bmp(W, H):
    about = struct.pack("<IiiHHIIiiII", 40, W, H, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + about


def webp(W, H):
    size = (W - 1).to_bytes(3, "little") + (H - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size + b"VP8 " + bytes(4)


def jpeg(W, H):
    return b"\xff\xd8\xff\xc0\0\x0b\x08" + struct.pack(">HH", H, W) + b"\1\1\x11\0\xff\xda\0\x08\1\1\0\0\x3f\0\xff\xd9"


def picture_zip(content, size=None):
    """A picture among others in a zip file, perhaps with another size than it has."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a/1.png", "b/1.png", "b/2.png"):
            archive.writestr(name, png(2, 2))
        archive.writestr("a/2.png", content)
        if size is not None:
            archive.getinfo("a/2.png").file_size = size
    return stream.getvalue()


def onnx_claim():
    """A weight of 25 thousand million numbers, none of which is there."""
    from onnx import TensorProto, helper

    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[25, 10**9])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", *([end] for end in ends), [weight])
    return helper.make_model(graph).SerializeToString()


def tar_claim(size):
    from pellucid.data import cifar10

    header = bytearray(512)
    name = f"{cifar10.FOLDER}/{cifar10.FILES[0]}".encode()
    header[: len(name)] = name
    header[124:136] = b"\x80" + size.to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[156:157] = b"0"
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header))


IDX = b"\0\0\x08\3"
CLAIMS = {
    "model: the header's length": ("model", lambda: HUNDRED_GB.to_bytes(8, "little") + b"{}"),
    "model: an array": ("model", lambda: safetensors([HUNDRED_GB // 4], [0, HUNDRED_GB], {"format": "pellucid-model"})),
    "checkpoint: the header's length": ("checkpoint", lambda: HUNDRED_GB.to_bytes(8, "little") + b"{}"),
    "checkpoint: an array": ("checkpoint", lambda: safetensors([HUNDRED_GB // 4], [0, HUNDRED_GB])),
    "torch: an array": ("torch", lambda: safetensors([HUNDRED_GB // 4], [0, HUNDRED_GB])),
    "ONNX: a weight": ("onnx", onnx_claim),
    "ONNX: a field": ("onnx", lambda: b"\x3a\x80\xd0\xdb\xc3\xf4\x02\x0a"),
    "IDX": ("idx", lambda: IDX + struct.pack(">3I", 10**8, 100, 10)),
    "IDX, packed": ("idx", lambda: gzip.compress(IDX + struct.pack(">3I", 10**8, 100, 10))),
    "IDX, four gigabytes packed": ("idx", lambda: gzip.compress(IDX + struct.pack(">3I", 2, 2, 2)) + ZEROS * 60),
    "CIFAR-10: a member": ("cifar", lambda: tar_claim(HUNDRED_GB)),
    "CIFAR-10, a gigabyte packed": ("cifar", lambda: tar_claim(2 * 3073) + ZEROS * 16),
    "zip: a member": ("zip", lambda: picture_zip(bytes(10), HUNDRED_GB)),
    "zip: a packed member": ("zip", lambda: picture_zip(bytes(2**28))),
    "zip: a packed member of a false size": ("zip", lambda: picture_zip(bytes(2**28), 1000)),
    "zip: a picture": ("zip", lambda: picture_zip(png(2**16, 2**16))),
    "PNG": ("picture", lambda: png(2**17, 2**18)),
    "PNG of 64 million pixels, none there": ("picture", lambda: png(8_000, 8_000)),
    "BMP": ("picture", lambda: bmp(2**17, 2**18)),
    "WebP": ("picture", lambda: webp(2**14, 2**14)),
    "JPEG": ("picture", lambda: jpeg(2**16 - 1, 2**16 - 1)),
    "PNG: a packed profile": ("picture", lambda: png(2, 2, profile(b"iCCP"))),
    "PNG: a packed note": ("picture", lambda: png(2, 2, profile(b"zTXt"))),
    "cache": ("cache", lambda: b""),
}


def read_cache(path):
    from pellucid.data.cache import open_cache

    shape = [HUNDRED_GB // 1200, 20, 20, 3]
    record = {"format": 1, "fingerprint": "", "shape": shape, "size_bytes": HUNDRED_GB + 128, "mtime_ns": 0, "crc32": 0}
    path.with_name(path.name + ".json").write_text(json.dumps({**record, "skipped": []}))
    if open_cache(path, "") is None:
        raise ValueError(f"{path}: no cache")


def readers():
    """All of them, loaded, so that what they take themselves is not counted."""
    from fuzz.targets import network
    from pellucid.data import load_cifar10, load_image_folder, read_idx
    from pellucid.data.pictures import decode_picture
    from pellucid.shipping import load_model, read_torch_weights
    from pellucid.training.checkpoint import load_checkpoint

    found = {
        "model": load_model,
        "checkpoint": load_checkpoint,
        "torch": lambda path: read_torch_weights(network(), path),
        "idx": read_idx,
        "cifar": lambda path: load_cifar10(path, records_per_file=2),
        "zip": lambda path: load_image_folder(path, size=(4, 4), threads=1),
        "picture": lambda path: decode_picture("here", str(path), path.read_bytes(), (4, 4)),
        "cache": read_cache,
    }
    with contextlib.suppress(ImportError):
        import onnx  # noqa: F401

        from pellucid.extras.onnx_import import import_onnx

        found["onnx"] = import_onnx
    return found


def memory(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1000


def measured(read, path):
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began = memory("VmRSS"), time.perf_counter()
    try:
        read(path)
        said = "answer"
    except (ValueError, OSError) as error:
        said = str(error)
    return {"mb": memory("VmHWM") - before, "s": time.perf_counter() - began, "said": said}


def limit_memory():
    most, (_, hard) = int(memory("VmSize") * 1000 * 1024) + MOST_BYTES, resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main():
    found, rows = readers(), {}
    files = {}
    for name, (kind, content) in CLAIMS.items():
        if kind in found:
            files[name] = Path(f"{len(files)}.{kind}.npy" if kind == "cache" else f"{len(files)}.{kind}")
            files[name].write_bytes(content())
    for name, file in files.items():  # once without counting: a reader loads what it needs when it is first used
        measured(found[CLAIMS[name][0]], file)
    limit_memory()
    for name, file in files.items():
        rows[name] = measured(found[CLAIMS[name][0]], file)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
