from __future__ import annotations

import hashlib
import stat
import warnings
from zipfile import ZipFile, ZipInfo

import pytest

from burnish.assets import File
from burnish.assets.unpack import unpack
from burnish.errors import AssetError


def listed(path: str, content: bytes) -> File:
    return File(path, hashlib.sha256(content).hexdigest(), len(content))


@pytest.fixture
def archive(tmp_path):
    """Writes a zip file of (name, content) pairs beside one good member, and unpacks that one."""

    def unpacked(*members: tuple[str | ZipInfo, bytes]) -> None:
        path = tmp_path / "a.zip"
        with ZipFile(path, "w") as opened, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile warns of doubled names, the point of one test
            for name, content in [("root/good", b"good"), *members]:
                opened.writestr(name, content)
        unpack(path, "root", [listed("good", b"good")], tmp_path / "out" / "deep")

    return unpacked


def files(folder) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_takes_what_is_listed(archive, tmp_path):
    archive(("root/other", b"other"), ("root/sub/", b""))
    assert files(tmp_path / "out") == {"good"}
    assert (tmp_path / "out" / "deep" / "good").read_bytes() == b"good"


@pytest.mark.parametrize(
    "name", ["../evil", "root/../../evil", "/evil", "C:\\evil", "root\\..\\..\\evil", "C:evil"]
)
def test_a_path_that_leaves_the_folder_is_refused(archive, tmp_path, name):
    with pytest.raises(AssetError, match="leaves the folder"):
        archive((name, b"evil"))
    assert files(tmp_path) == {"a.zip"}


def test_a_link_is_refused(archive, tmp_path):
    link = ZipInfo("root/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(AssetError, match="'root/link' is a link"):
        archive((link, b"/etc/passwd"))
    assert files(tmp_path) == {"a.zip"}


def test_a_doubled_name_is_refused(archive):
    with pytest.raises(AssetError, match="'root/good' is there twice"):
        archive(("root/good", b"evil"))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"evil", "should have the SHA-256"), (b"too long", "of 4 bytes, but has 8 bytes")],
)
def test_other_content_is_refused(tmp_path, content, complaint):
    with ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("root/good", content)
    with pytest.raises(AssetError, match=complaint):
        unpack(tmp_path / "a.zip", "root", [listed("good", b"good")], tmp_path / "out")


def test_a_missing_member_is_named(tmp_path):
    with ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("good", b"good")
    with pytest.raises(AssetError, match="should hold root/good of 4 bytes, but has none"):
        unpack(tmp_path / "a.zip", "root", [listed("good", b"good")], tmp_path / "out")


def test_what_is_no_archive_or_a_broken_one_is_one_line(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"no zip")
    with pytest.raises(AssetError, match=r"a\.zip cannot be unpacked"):
        unpack(path, "root", [], tmp_path / "out")
    with ZipFile(path, "w") as opened:
        opened.writestr("root/good", b"content")
    path.write_bytes(path.read_bytes().replace(b"content", b"garbled"))
    with pytest.raises(AssetError, match=r"a\.zip cannot be unpacked: Bad CRC-32"):
        unpack(path, "root", [listed("good", b"content")], tmp_path / "out")
