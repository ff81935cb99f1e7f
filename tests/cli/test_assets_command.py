from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from burnish.assets import ASSETS, Asset, File, Wheel
from burnish.cli.assets import assets
from burnish.errors import AssetError, UsageError
from burnish.registry import Method, methods


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The only asset, already in the cache; its one file."""
    entry = Asset(
        name="toy",
        what="a toy",
        licence="CC0-1.0",
        files=(File("a.txt", hashlib.sha256(b"good").hexdigest(), 4),),
        sources=(Wheel(name="toy-pack", version="1.0", sha256="0" * 64, size=1, root="toy"),),
    )
    for name in list(ASSETS):
        monkeypatch.delitem(ASSETS, name)
    monkeypatch.setitem(ASSETS, "toy", entry)
    monkeypatch.setenv("BURNISH_CACHE", str(tmp_path))
    file = tmp_path / "assets" / "toy" / "1.0" / "a.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"good")
    return file


def invoke(*arguments: str):
    return CliRunner().invoke(assets, arguments, catch_exceptions=True)


def test_list_says_what_is_here(toy):
    (row,) = json.loads(invoke("list", "--json").stdout)["assets"]
    assert row["name"] == "toy"
    assert row["path"] == str(toy.parent)
    assert row["sources"] == ["toy-pack 1.0 (PyPI)"]
    toy.unlink()
    assert json.loads(invoke("list", "--json").stdout)["assets"][0]["path"] is None
    assert "not here; run: burnish assets pull toy" in invoke("list").stdout


def test_path_is_alone_on_standard_output(toy):
    assert invoke("path", "toy").stdout == f"{toy.parent}\n"
    assert json.loads(invoke("path", "toy", "--json").stdout)["path"] == str(toy.parent)


def needing(*names: str) -> Method:
    return Method(
        name="m",
        title="t",
        paper="p",
        summary="s",
        config=object,
        run="m:run",
        claims="m:C",
        package="m",
        assets=names,
    )


@pytest.fixture
def registered(monkeypatch):
    """Puts methods in the registry's place."""

    def register(**found: Method) -> None:
        monkeypatch.setattr("burnish.cli.assets.methods", lambda: found)

    return register


def test_pull_without_a_name_fetches_what_quick_presets_need(toy, registered, monkeypatch):
    absent = Asset(**{**vars(ASSETS["toy"]), "name": "absent"})
    monkeypatch.setitem(ASSETS, "absent", absent)  # fetching it would fail
    registered(a=needing("toy"), b=needing(), c=needing("toy"))
    done = invoke("pull", "--json")
    assert json.loads(done.stdout) == {"assets": [{"name": "toy", "path": str(toy.parent)}]}
    assert done.stderr == f"toy: {toy.parent}\n"


def test_pull_without_a_name_fetches_nothing_if_nothing_is_needed(toy, registered):
    toy.unlink()  # fetching it would fail
    registered(b=needing())
    done = invoke("pull", "--json")
    assert json.loads(done.stdout) == {"assets": []}
    assert done.stderr == "no method needs an asset; name one, or give --all\n"


def test_what_the_methods_here_need_is_in_the_catalogue():
    for method in methods().values():
        assert set(method.assets) <= set(ASSETS), method.name


def test_pull_all_fetches_every_asset(toy, registered):
    registered()
    done = invoke("pull", "--all", "--json")
    assert json.loads(done.stdout) == {"assets": [{"name": "toy", "path": str(toy.parent)}]}
    refused = invoke("pull", "toy", "--all").exception
    assert isinstance(refused, UsageError)
    assert "--all fetches every asset, so name none" in str(refused)


def test_pull_refuses_a_wrong_name_before_it_fetches(toy):
    toy.unlink()
    done = invoke("pull", "toy", "nope")
    assert isinstance(done.exception, UsageError)
    assert "unknown asset 'nope'" in str(done.exception)
    assert not (toy.parent.parent / ".lock").exists()


def test_verify_fails_on_a_changed_file(toy):
    assert invoke("verify").stderr == "toy: unharmed\n"
    toy.write_bytes(b"evil")
    done = invoke("verify", "--json")
    assert isinstance(done.exception, AssetError)
    assert "damaged: a.txt" in json.loads(done.stdout)["assets"][0]["problem"]


def test_verify_of_what_is_not_here(toy):
    toy.unlink()
    assert "a.txt should have 4 bytes" in str(invoke("verify").exception)
    toy.parent.rmdir()
    assert invoke("verify").stderr == "no asset is here; run: burnish assets pull\n"
    done = invoke("verify", "toy")
    assert isinstance(done.exception, AssetError)
    assert "toy was not pulled" in str(done.exception)


@pytest.mark.parametrize(
    ("name", "code", "line"),
    [
        ("all-minilm-l6-v2", 1, "burnish: asset all-minilm-l6-v2 was not pulled"),
        ("all-minilm", 2, "burnish: unknown asset 'all-minilm'; did you mean"),
    ],
)
def test_exit_codes(tmp_path, monkeypatch, name, code, line):
    monkeypatch.setenv("BURNISH_CACHE", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "burnish.cli.main", "assets", "path", name],
        capture_output=True,
        text=True,
    )
    assert done.returncode == code
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
