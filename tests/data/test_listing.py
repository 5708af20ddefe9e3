"""What could lead out of an image folder or a zip file, or harm on the way, is refused."""

from __future__ import annotations

import os
import stat
import sys
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.data import load_image_folder
from picture_files import numbered, put, three_classes, with_file


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
