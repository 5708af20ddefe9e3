"""The reader of tar archives: what it reads is what the standard library wrote, and hostile archives cost nothing."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.data import load_cifar10
from pellucid.data.tar import BLOCK, BrokenArchive, members

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
NAMES = st.text(st.characters(codec="ascii", exclude_characters="\0/"), min_size=1, max_size=60)


def archive(contents, kind=tarfile.PAX_FORMAT, **about):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for name, content in contents:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in about.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def header(name="x", size=0, kind=b"0"):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def read_all(data, most=1 << 20):
    stream = io.BytesIO(data)

    def content(member):
        return b"".join(iter(lambda: member.read(most), b""))

    return [(member.name, member.is_plain, content(member)) for member in members(stream.read)]


@given(st.lists(st.tuples(NAMES, st.binary(max_size=1500))), st.sampled_from(FORMATS), st.integers(1, 3000))
@settings(max_examples=60, deadline=None)
def test_what_the_standard_library_wrote_is_read(contents, kind, most):
    assert read_all(archive(contents, kind), most) == [(name, True, content) for name, content in contents]


def test_long_names_of_the_posix_kind_are_put_together():
    name = "/".join(["folder"] * 20 + ["file"])
    assert read_all(archive([(name, b"abc")], tarfile.USTAR_FORMAT)) == [(name, True, b"abc")]


def test_an_extended_header_is_a_member_of_its_own():
    (about, _, _), one = read_all(archive([("a", b"abc")], mtime=1.5))
    assert one == ("a", True, b"abc")
    assert about != "a"


@pytest.mark.parametrize("kind", FORMATS)
def test_members_need_not_be_read(kind):
    data = archive([(f"{i}", bytes(i * 300)) for i in range(9)], kind)
    assert [member.name for member in members(io.BytesIO(data).read)] == [f"{i}" for i in range(9)]


def test_folders_and_links_are_not_plain_and_have_no_bytes():
    for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        data = header("a", 600, kind) + archive([("b", b"x")])
        assert read_all(data) == [("a", False, b""), ("b", True, b"x")]
    assert read_all(archive([("folder/", b"")])) == [("folder", False, b"")]


@pytest.mark.parametrize("cut", [1, 100, 511, 513, 1000, 1024, 1025])
def test_an_archive_that_ends_within_a_member_is_refused(cut):
    data = archive([("a", bytes(1000)), ("b", bytes(1000))])
    with pytest.raises(BrokenArchive, match="ends within"):
        read_all(data[:cut])


@pytest.mark.parametrize(
    ("place", "value"), [(0, b"y"), (124, b"9"), (124, b"\xff"), (148, b"x"), (156, b"5"), (300, b"\xff")]
)
def test_a_changed_header_is_refused(place, value):
    data = bytearray(archive([("a", b"abc")]))
    data[place : place + 1] = value
    with pytest.raises(BrokenArchive):
        read_all(bytes(data))


def test_a_sum_of_signed_bytes_is_as_good():
    block = bytearray(header("\u00e9"))
    block[148:156] = b" " * 8
    total = sum(byte - 256 if byte > 127 else byte for byte in block)
    block[148:156] = b"%06o\0 " % total
    assert read_all(bytes(block)) == [("\u00e9", True, b"")]


def test_a_member_that_claims_a_hundred_gigabytes_takes_no_memory():
    for size in (10**11, 8**11 - 1, 2**63, 2**64, 2**87):
        data = header("a", size) + bytes(10 * BLOCK)
        tracemalloc.start()
        with pytest.raises(BrokenArchive, match="ends within 'a'"):
            read_all(data)
        assert tracemalloc.get_traced_memory()[1] < 100_000
        tracemalloc.stop()


def test_no_extended_header_keeps_the_reader_busy(tmp_path):
    """The standard library's reader of Python 3.11.7 looks through digits in quadratic time: 1 MB takes ten minutes."""
    digits = 1 << 20
    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
        path = tmp_path / "digits.tar.gz"
        path.write_bytes(gzip.compress(header("x", digits, kind) + b"1" * digits + bytes(20 * BLOCK)))
        began = time.perf_counter()
        with pytest.raises(ValueError, match=r"digits.tar.gz lacks cifar"):
            load_cifar10(path, records_per_file=1)
        assert time.perf_counter() - began < 2


def test_a_larger_file_than_its_content_could_be_is_refused_at_once(tmp_path):
    """Of empty members of gzip a large file could hold any number, and each takes its time."""
    path = tmp_path / "empty.tar.gz"
    path.write_bytes(gzip.compress(b"") * 200_000)
    began = time.perf_counter()
    with pytest.raises(ValueError, match="is larger than what it should hold"):
        load_cifar10(path, records_per_file=1)
    assert time.perf_counter() - began < 0.5


@given(st.binary(max_size=2000), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_an_archive_or_none(data, after_a_header):
    try:
        read_all(header("a", 5) + data if after_a_header else data)
    except BrokenArchive as error:
        assert str(error)
