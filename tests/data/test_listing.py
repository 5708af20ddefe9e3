"""What could lead out of an image folder or a zip file, or harm on the way, is refused."""

from __future__ import annotations

import copy
import os
import stat
import sys
import time
import tracemalloc
import zipfile
import zlib
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.data import load_image_folder
from pellucid.data.layout import find_layout
from pellucid.data.listing import FolderListing
from picture_files import both, numbered, put, three_classes, with_file


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    path = put(tmp_path, three_classes(3), "folder")
    (tmp_path / "secret.png").write_bytes(numbered(1))
    (path / "red" / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(ValueError, match=r"red/link.png is a link out of the folder, to .*secret.png"):
        load_image_folder(path)


def test_a_link_within_the_folder_is_followed(tmp_path):
    path = put(tmp_path, three_classes(10), "folder")
    (path / "red" / "link.png").symlink_to(path / "red" / "01.png")
    data = load_image_folder(path)
    assert len(data.X_train) + len(data.X_test) == 31


@pytest.mark.parametrize(("target", "says"), [(".", "to a folder"), ("loop", "to nothing"), ("gone", "to nothing")])
def test_links_to_folders_loops_and_nothing_are_refused(tmp_path, target, says):
    path = put(tmp_path, three_classes(3), "folder")
    (path / "red" / "loop").symlink_to(path / "red" / target)
    with pytest.raises(ValueError, match=f"red/loop is a link {says}"):
        load_image_folder(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    path = put(tmp_path, three_classes(3), "folder")
    os.mkfifo(path / "red" / "pipe.png")
    with pytest.raises(ValueError, match=r"red/pipe.png is not a regular file"):
        load_image_folder(path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_a_name_that_is_no_text_is_refused(tmp_path):
    path = put(tmp_path, three_classes(3), "folder")
    (path / os.fsdecode(b"red/\xff\xfe.png")).write_bytes(numbered(1))
    with pytest.raises(ValueError, match="is no valid UTF-8; rename it"):
        load_image_folder(path)


def test_a_very_deep_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="lies too deep"):
        load_image_folder(put(tmp_path, {"a/" * 30 + "x.png": b"x"}, "folder"))


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/etc/x.png", "C:/x.png", "a\\..\\x.png", "red/.."])
def test_a_zip_with_names_that_lead_out_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="is a name that leads out of the zip file"):
        load_image_folder(put(tmp_path, with_file(name, numbered(1)), "zip"))
    assert [file.name for file in tmp_path.iterdir()] == ["pictures.zip"]


def zip_of(path, *extra):
    """A zip of three classes and extra (ZipInfo, bytes)."""
    put(path, three_classes(3), "zip")
    with zipfile.ZipFile(path / "pictures.zip", "a") as archive:
        for info, content in extra:
            archive.writestr(info, content)
    return path / "pictures.zip"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_zip_with_links_or_devices_is_refused(tmp_path, kind):
    info = zipfile.ZipInfo("red/link.png")
    info.external_attr = (kind | 0o777) << 16
    with pytest.raises(ValueError, match=r"red/link.png' is a link or a device"):
        load_image_folder(zip_of(tmp_path, (info, b"/etc/passwd")))


def test_a_zip_with_a_name_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"red/00.png' is in the zip file twice"):
        load_image_folder(zip_of(tmp_path, (zipfile.ZipInfo("./red/00.png"), numbered(1))))


def test_an_encrypted_zip_is_refused(tmp_path):
    path = zip_of(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is encrypted; zip it without a password"):
        load_image_folder(path)


def test_a_zip_packed_by_a_rare_method_is_refused(tmp_path):
    info = zipfile.ZipInfo("red/x.png")
    info.compress_type = zipfile.ZIP_BZIP2
    with pytest.raises(ValueError, match="is packed by a rare method"):
        load_image_folder(zip_of(tmp_path, (info, numbered(1))))


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("pellucid.data.listing.MOST_FILE_BYTES", 100_000)
    info = zipfile.ZipInfo("blue/0.png")
    info.compress_type = zipfile.ZIP_DEFLATED
    with pytest.raises(ValueError, match=r"blue/0.png has 1,000,000 bytes, more than 100,000"):
        load_image_folder(zip_of(tmp_path, (info, bytes(1_000_000))))


def test_a_zip_whose_content_does_not_match_its_checksum_is_refused(tmp_path):
    path = zip_of(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 6] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"blue/00.png is damaged .*CRC"):
        load_image_folder(path)


def test_a_zip_cut_short_is_refused(tmp_path):
    whole = zip_of(tmp_path).read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "short.zip").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"short.zip is damaged or no zip file"):
            load_image_folder(tmp_path / "short.zip")


def test_a_zip_whose_directory_points_before_the_file_is_refused(tmp_path):
    raw = bytearray(zip_of(tmp_path).read_bytes())
    end = raw.rindex(b"PK\x05\x06")
    start = int.from_bytes(raw[end + 16 : end + 20], "little")
    raw[end + 16 : end + 20] = (start + 1000).to_bytes(4, "little")  # the members seem to lie 1000 bytes earlier
    path = tmp_path / "early.zip"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"early.zip.* is damaged"):
        load_image_folder(path)


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mutated_zips_raise_nothing_but_value_and_os_errors(tmp_path, data):
    raw = bytearray(zip_of(tmp_path).read_bytes())
    directory = raw.index(b"PK\x01\x02")
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.one_of(st.integers(0, len(raw) - 1), st.integers(directory, len(raw) - 1)))
        raw[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "mutated.zip"
    path.write_bytes(raw)
    try:
        assert load_image_folder(path, size=(4, 6), threads=1).image_shape == (3, 4, 6)
    except (ValueError, OSError) as error:
        assert "mutated.zip" in str(error)


@pytest.mark.parametrize(
    "name", ["a/" * 200 + "x.png", "a/" * 30_000 + "x.png", "a/" * 10 + ".hidden/" + "b/" * 10 + "x.png", "a/" * 400]
)
def test_a_very_deep_name_in_a_zip_is_refused_in_a_short_sentence(tmp_path, name):
    """All the folders above a file are kept: of 30,000 they would take gigabytes."""
    path = put(tmp_path, with_file(name), "zip")
    if ".hidden" in name:
        assert len(load_image_folder(path).classes) == 3
        return
    with pytest.raises(ValueError, match="lies too deep") as caught:
        load_image_folder(path)
    assert len(str(caught.value)) < 600


def test_a_very_long_name_in_a_zip_is_refused_in_a_short_sentence(tmp_path):
    with pytest.raises(ValueError, match="is longer than any file's") as caught:
        load_image_folder(put(tmp_path, with_file(f"a/{'x' * 60_000}.png"), "zip"))
    assert len(str(caught.value)) < 600


@both
def test_a_line_break_in_a_name_does_not_break_the_message(tmp_path, into):
    path = put(tmp_path, with_file("red\x1b[2J/a\nb.png", b"no picture"), into)
    with pytest.raises(ValueError, match=r"red\\x1b\[2J/a\\nb\.png cannot be read"):
        load_image_folder(path)
    with pytest.raises(ValueError, match=r"red\\x1b\[2J/a\\nb\.png cannot be read"):
        load_image_folder(path, max_broken=0.01)


def overlapping(path, count=3):
    """A zip file in which many names stand for the same bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a/0.png", "b/0.png"):
            archive.writestr(name, numbered(1))
        first = archive.infolist()[0]
        for i in range(1, count):
            again = copy.copy(first)
            again.filename = again.orig_filename = f"a/{i}.png"
            archive.filelist.append(again)
    return path


def test_members_that_share_their_bytes_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"overlap.zip: 'a/1.png' shares bytes with another member"):
        load_image_folder(overlapping(tmp_path / "overlap.zip"))


@pytest.mark.parametrize("offset", [2**40, 2**63, 2**64 - 1])
def test_a_member_far_behind_the_end_is_refused(tmp_path, offset):
    path = zip_of(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.infolist()[-1].header_offset = offset
        archive.writestr("blue/more.png", numbered(1))
    with pytest.raises(ValueError, match="is damaged: it would lie outside"):
        load_image_folder(path)


def test_no_more_is_unpacked_than_a_member_states(tmp_path):
    """The packed bytes of a bomb behind a size of 100: zipfile unpacks what is asked for, and then cuts it off."""
    path = tmp_path / "lies.zip"
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packed.compress(bytes(2**26)) + packed.flush()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in three_classes(3).items():
            archive.writestr(name, content)
        archive.writestr("blue/bomb.png", bomb)
        member = archive.getinfo("blue/bomb.png")
        member.compress_type, member.file_size = zipfile.ZIP_DEFLATED, 100
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"blue/bomb.png is damaged \(Bad CRC-32"):
        load_image_folder(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**23


def test_what_became_a_pipe_after_it_was_listed_is_not_waited_for(tmp_path):
    path = put(tmp_path, three_classes(3), "folder")
    listing = FolderListing("here", path)
    (path / "red" / "01.png").unlink()
    os.mkfifo(path / "red" / "01.png")
    with pytest.raises(ValueError, match=r"here: .*01.png is not a regular file"):
        listing.read(("red", "01.png"))


def test_very_many_classes_take_no_time(tmp_path):
    """50,000 took 15 s when each was looked for in a list of all."""

    class Names:
        files: ClassVar = [(f"{i:05d}", "x.png") for i in range(50_000)]
        folders: ClassVar = {(f"{i:05d}",) for i in range(50_000)}

    begin = time.perf_counter()
    assert len(find_layout("here", "root", Names()).classes) == 50_000
    assert time.perf_counter() - begin < 5


def test_a_message_does_not_repeat_what_stands_in_place_of_a_name(tmp_path):
    """A member's own header may state another name, of up to 65,535 letters."""
    path = put(tmp_path, with_file("blue/last.png", bytes(70_000)), "zip")
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("blue/last.png").header_offset
    content[start + 26 : start + 28] = b"\xff\xff"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"blue/last.png is damaged \(File name in directory") as caught:
        load_image_folder(path)
    assert len(str(caught.value)) < 600
