from __future__ import annotations

import gzip
import hashlib
import io
import stat
import tarfile
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


@pytest.fixture
def tarball(tmp_path):
    """Writes a .tgz of members beside one good one, and unpacks that one."""

    def unpacked(*members: tarfile.TarInfo) -> None:
        path = tmp_path / "a.tgz"
        good = tarfile.TarInfo("root/good")
        good.size = 4
        with tarfile.open(path, "w:gz") as opened:
            opened.addfile(good, io.BytesIO(b"good"))
            for member in members:
                opened.addfile(member, io.BytesIO(b"evil"[: member.size]))
        unpack(path, "root", [listed("good", b"good")], tmp_path / "out" / "deep")

    return unpacked


def member(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def test_takes_what_is_listed_from_a_tar_file(tarball, tmp_path):
    tarball(member("root/other"), member("root/sub", tarfile.DIRTYPE))
    assert (tmp_path / "out" / "deep" / "good").read_bytes() == b"good"
    assert files(tmp_path) == {"a.tgz", "good"}


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (member("root/../../evil"), "leaves the folder"),
        (member("/evil"), "leaves the folder"),
        (member("root/l", tarfile.SYMTYPE), "'root/l' is a link"),
        (member("root/l", tarfile.LNKTYPE), "'root/l' is a link"),
        (member("root/d", tarfile.CHRTYPE), "'root/d' is a device"),
        (member("root/p", tarfile.FIFOTYPE), "'root/p' is a device"),
        (member("root/good"), "'root/good' is there twice"),
    ],
)
def test_an_unsafe_member_of_a_tar_file_is_refused(tarball, tmp_path, entry, complaint):
    with pytest.raises(AssetError, match=complaint):
        tarball(entry)
    assert files(tmp_path) == {"a.tgz"}


@pytest.mark.parametrize("cut", [0, 40, -20])
def test_a_broken_tar_file_is_one_line(tmp_path, cut):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as opened:
        info = tarfile.TarInfo("root/good")
        info.size = 4
        opened.addfile(info, io.BytesIO(b"good"))
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(buffer.getvalue())[:cut] or b"no gzip")
    with pytest.raises(AssetError, match=r"a\.tar\.gz cannot be unpacked: "):
        unpack(path, "root", [listed("good", b"good")], tmp_path / "out")
    assert files(tmp_path) == {"a.tar.gz"}


@pytest.mark.parametrize("name", ["a.zip", "a.tgz"])
def test_many_small_files_are_joined_in_the_order_of_their_names(tmp_path, name):
    path = tmp_path / name
    content = {"root/d/2.json": b"[2]", "root/d/1.json": b"[1]", "root/d/1.txt": b"no"}
    if name == "a.zip":
        with ZipFile(path, "w") as opened:
            for key, value in content.items():
                opened.writestr(key, value)
    else:
        with tarfile.open(path, "w:gz") as opened:
            for key, value in content.items():
                info = tarfile.TarInfo(key)
                info.size = len(value)
                opened.addfile(info, io.BytesIO(value))
    digest = hashlib.sha256(b"[1]\n[2]\n").hexdigest()
    unpack(path, "root", [File("all.jsonl", digest, 8, "d/*.json")], tmp_path / "out")
    assert (tmp_path / "out" / "all.jsonl").read_bytes() == b"[1]\n[2]\n"
    with pytest.raises(AssetError, match=r"hold root/d/\*\.json of 9 bytes, but has 8 bytes"):
        unpack(path, "root", [File("all", digest, 9, "d/*.json")], tmp_path / "out")
    with pytest.raises(AssetError, match=r"d/\*\.json should have the SHA-256 0000"):
        unpack(path, "root", [File("all", "0" * 64, 8, "d/*.json")], tmp_path / "out")
    with pytest.raises(AssetError, match=r"hold root/e/\* of 9 bytes, but has none"):
        unpack(path, "root", [File("all", digest, 9, "e/*")], tmp_path / "out")
