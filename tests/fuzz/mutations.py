"""Sound files made unsound: bytes flipped, cut, doubled, put in, and numbers taken to extremes."""

import hashlib
import json
import re
import zlib

NUMBERS = [
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    2**63 - 1,
    2**63,
    2**64 - 1,
]
WORDS = [
    b"-1",
    b"0",
    b"1e999",
    b"NaN",
    b"100000000000",
    b"9" * 30,
    b"null",
    b"[]",
    b"{}",
    b'"a"',
    b"true",
    b"0.5",
    b"../a",
]


def flip(data, rng, others):
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def put_byte(data, rng, others):
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + rng.randrange(2) :]


def cut(data, rng, others):
    return data[: rng.randrange(len(data))]


def take_out(data, rng, others):
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randrange(1, 65) :]


def double(data, rng, others):
    at = rng.randrange(len(data))
    piece = data[at : at + rng.randrange(1, 65)]
    return data[:at] + piece * rng.randrange(1, 9) + data[at:]


def splice(data, rng, others):
    other = rng.choice(others)
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def extreme_number(data, rng, others):
    """Binary, of 1 to 8 bytes, either end first."""
    at, size = rng.randrange(len(data)), rng.choice((1, 2, 4, 8))
    number = rng.choice(NUMBERS) % 256**size
    return data[:at] + number.to_bytes(size, rng.choice(("little", "big"))) + data[at + size :]


def extreme_word(data, rng, others):
    """A number in text becomes another one, or something else."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", data[:20_000]))
    if not found:
        return put_byte(data, rng, others)
    one = rng.choice(found)
    return data[: one.start()] + rng.choice(WORDS) + data[one.end() :]


def swap_strings(data, rng, others):
    """One string of a text in the place of another."""
    found = list(re.finditer(rb'"[^"\\]{1,40}"', data[:20_000]))
    if len(found) < 2:
        return flip(data, rng, others)
    one, other = rng.choice(found), rng.choice(found)
    return data[: one.start()] + other.group() + data[one.end() :]


ALL = (flip, put_byte, cut, take_out, double, splice, extreme_number, extreme_word, swap_strings)


def mutated(data, rng, others):
    """The bytes after one to four changes."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not data:
            break
        data = rng.choice(ALL)(data, rng, others)
    return data


def sound_again(data):
    """A safetensors file whose header is as long as it says, and whose digest is right: what is behind is reached."""
    try:
        _, end = json.JSONDecoder().raw_decode(data[8:].decode("latin-1"))
    except (ValueError, RecursionError):
        return data
    while data[8 + end : 9 + end] == b" ":  # what fills it up to a multiple of eight
        end += 1
    data = end.to_bytes(8, "little") + data[8:]
    place = re.search(rb'"sha256": "([^"]{64})"', data)
    if place is None:
        return data
    start, stop = place.span(1)
    digest = hashlib.sha256(data[:start] + b"0" * 64 + data[stop:]).hexdigest().encode()
    return data[:start] + digest + data[stop:]


def sound_png(data):
    """A PNG whose chunks have the right checksums. Other pictures have none."""
    if not data.startswith(b"\x89PNG"):
        return data
    out, place = [data[:8]], 8
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place : place + 4], "big")
        out += [data[place:end], zlib.crc32(data[place + 4 : end]).to_bytes(4, "big")]
        place = end + 4
    return b"".join([*out, data[place:]])


def sound_tar(data):
    """A tar archive whose headers, where they are still in their places, have the right sums."""
    out = bytearray(data)
    for place in range(0, len(data) - 511, 512):
        block = data[place : place + 512]
        if block[257:262] == b"ustar":
            total = sum(block[:148]) + 8 * 32 + sum(block[156:])
            out[place + 148 : place + 156] = b"%06o\0 " % total
    return bytes(out)
