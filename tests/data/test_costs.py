"""Pictures that are small files and large work: what is refused, and what everything else may cost."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from pellucid.data import costs, pictures
from pellucid.data.memory import Room
from pellucid.data.pictures import BrokenPicture, decode_picture, picture_of
from picture_files import encoded, plain

RNG = np.random.default_rng(0)
NOISE = Image.fromarray(RNG.integers(0, 256, (40, 30, 3), np.uint8))


def chunk(kind, content=b""):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(W=6, H=4, before=b"", within=b"", after=b""):
    """A PNG of one colour, 8-bit RGB, with other chunks in front of, between and behind its pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, 8, 2, 0, 0, 0))
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 + 3 * W)) for _ in range(H)) + packer.flush()
    pixels = chunk(b"IDAT", packed[:9]) + within + chunk(b"IDAT", packed[9:])
    return b"\x89PNG\r\n\x1a\n" + head + before + pixels + after + chunk(b"IEND")


def many_scans(scans, side=64, between=b""):
    """A grey JPEG that is sharpened by scans in which nothing changes: some bytes each, whatever the size."""
    table = b"\xff\xdb\0\x43\0" + b"\1" * 64
    frame = b"\xff\xc2\0\x0b\x08" + struct.pack(">HH", side, side) + b"\1\1\x11\0"
    codes = b"\xff\xc4\0\x14\0\1" + bytes(15) + b"\0" + b"\xff\xc4\0\x15\x10\0\2" + bytes(14) + b"\xe0\0"
    blocks = (side // 8) ** 2
    first = b"\xff\xda\0\x08\1\1\0\0\0\0" + bytes(blocks // 8 + 1)
    again = b"\xff\xda\0\x08\1\1\0\1\x3f\0" + bytes(2 * (blocks >> 14) + 2)
    return b"\xff\xd8" + table + frame + codes + first + (between + again) * (scans - 1) + b"\xff\xd9"


def segments(count):
    """A JPEG with so many empty notes."""
    jpeg = encoded(NOISE, "JPEG")
    return jpeg[:2] + b"\xff\xfe\0\2" * count + jpeg[2:]


def run_lengths(W, H, body):
    """A BMP of 8 bits and run lengths."""
    about = struct.pack("<IiiHHIIiiII", 40, W, H, 1, 8, 1, len(body), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(body), 0, 0, 1078) + about + bytes(1024) + body


def decode(content, size=(4, 4)):
    return decode_picture("here", "a file", content, size)


PACKED = zlib.compress(bytes(1_000_000), 9)
COSTLY = {
    "scans": (many_scans(costs.MOST_SCANS + 1), "more than 100 scans"),
    "scans behind marks": (many_scans(costs.MOST_SCANS + 1, between=b"\xff\x01"), "more than 100 scans"),
    "scans behind notes": (many_scans(costs.MOST_SCANS + 1, between=b"\xff\xfe\0\4\xff\xd9"), "more than 100 scans"),
    "segments": (segments(costs.MOST_SEGMENTS + 1), "more than 1,000 segments"),
    "profiles": (png(before=chunk(b"iCCP", b"a\0\0" + PACKED) * 300), "more than 256 chunks beside"),
    "notes behind": (png(after=chunk(b"tEXt", b"a\0b") * 300), "more than 256 chunks beside"),
    "unknown chunks": (png(within=chunk(b"prVt") * 300), "more than 256 chunks beside"),
    "empty pixels": (png(within=chunk(b"IDAT") * costs.MOST_CHUNKS), "more than 131,072 chunks"),
    "a large profile": (png(before=chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**28), 9))), "too large"),
    "a large note": (png(before=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**28), 9))), "too large"),
    "wide": (png(70_000, 1), "more than 65,535 in a row or a column"),
    "high": (png(1, 70_000), "more than 65,535 in a row or a column"),
    "run lengths": (run_lengths(8_000, 8_000, b"\1\1\0\0" * 8_000), "as run lengths, more than 4,194,304"),
    "a leap of run lengths": (run_lengths(60_000, 1_000, b"\0\2\0\xff"), "as run lengths, more than 4,194,304"),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_work_out_of_proportion_is_refused_at_once(kind):
    content, says = COSTLY[kind]
    began = time.perf_counter()
    with pytest.raises(BrokenPicture, match=says):
        decode(content)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    "content",
    [
        many_scans(costs.MOST_SCANS),
        segments(costs.MOST_SEGMENTS - 100),
        png(before=chunk(b"tEXt", b"a\0b") * 200),
        png(within=chunk(b"IDAT") * 1000),
        run_lengths(4, 4, b"\4\1\0\0" * 4),
        *(encoded(NOISE, kind) for kind in pictures.FORMATS),
        encoded(NOISE, "JPEG", progressive=True, quality=95),
        encoded(NOISE, "JPEG") + encoded(NOISE, "JPEG") * 200,
        encoded(NOISE, "JPEG", progressive=True) + RNG.bytes(200) + b"\xff\xda" * 200,
        plain("red", (65_535, 1)),
    ],
)
def test_what_is_in_proportion_is_decoded(content):
    assert decode(content).shape == (4, 4, 3)


def test_a_hundred_scans_over_all_pixels_take_seconds():
    began = time.perf_counter()
    assert decode(many_scans(costs.MOST_SCANS, 8_000)).shape == (4, 4, 3)
    assert time.perf_counter() - began < 8


@given(st.binary(max_size=400), st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_looked_through(content, start):
    costs.refuse_costly(start + content)


@pytest.mark.parametrize("body", [b"\xff" * 2**20, b"\xff\xd0" * 2**20, b"\xff\0" * 2**20, bytes(2**20)])
def test_looking_through_takes_no_time(body):
    """The first of them took hours when any number of bytes of 255 was looked for in front of a mark."""
    began = time.perf_counter()
    costs.refuse_costly(b"\xff\xd8" + body)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_pillow_turns_them(mode, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(io.BytesIO(encoded(NOISE.convert(mode), "PNG", exif=exif))) as image:
        needed = ImageOps.exif_transpose(image).convert("RGBA")
        white = Image.new("RGBA", needed.size, "white")
        assert np.array_equal(picture_of(image), np.asarray(Image.alpha_composite(white, needed).convert("RGB")))


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_what_is_transparent_is_laid_on_white_whatever_the_strips(monkeypatch, rows):
    image = Image.fromarray(RNG.integers(0, 256, (40, 30, 4), np.uint8))
    monkeypatch.setattr(pictures, "_STRIP_PIXELS", 30 * rows)
    needed = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    assert np.array_equal(picture_of(image), np.asarray(needed))


def test_a_room_is_never_overfull_and_takes_what_is_larger_alone():
    room, lock, inside, most, alone = Room(10), threading.Lock(), [], [], []

    def work(amount):
        for _ in range(20):
            with room.taken(amount):
                with lock:
                    inside.append(amount)
                    most.append(sum(min(one, 10) for one in inside))
                    if amount > 10:
                        alone.append(len(inside))
                time.sleep(0.0002)
                with lock:
                    inside.remove(amount)

    threads = [threading.Thread(target=work, args=(amount,)) for amount in (1, 2, 3, 4, 5, 10, 99)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) <= 10
    assert set(alone) == {1}
    assert len(most) == 140


def test_a_room_is_given_back_after_an_error():
    room = Room(1)
    with pytest.raises(KeyError), room.taken(1):
        raise KeyError
    with room.taken(1):
        pass


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from Linux")
def test_many_threads_take_no_more_memory_than_one_large_picture(tmp_path):
    """Eight pictures of 64 million pixels on eight threads: one at a time is decoded."""
    picture = encoded(Image.new("RGBA", (8_000, 8_000), (9, 9, 9, 9)), compress_level=1)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(4):
            (tmp_path / name / f"{i}.png").write_bytes(picture)
    code = (
        "import sys; from pellucid.data import load_image_folder; import PIL.Image; "
        "load_image_folder(sys.argv[1], size=(8, 8), threads=8); "
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1_400_000  # kB; together they would take seven gigabytes
