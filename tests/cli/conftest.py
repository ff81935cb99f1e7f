from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A folder into which the third-party package is built and installed for real, offline."""
    from tiny_package import FILES

    source = tmp_path_factory.mktemp("tiny")
    for name, text in FILES.items():
        path = source / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*pip, *offline, str(source)], check=True)
    return target


@pytest.fixture(scope="session")
def shadow(tmp_path_factory):
    """A folder that, first on the path, hides the methods burnish itself registers."""
    record = tmp_path_factory.mktemp("shadow") / f"burnish-{metadata.version('burnish')}.dist-info"
    record.mkdir()
    text = f"Metadata-Version: 2.1\nName: burnish\nVersion: {metadata.version('burnish')}\n"
    (record / "METADATA").write_text(text)
    return record.parent


@pytest.fixture
def burnish(site, shadow, tmp_path):
    """Calls the real command line in a folder of its own, with the third-party method installed."""

    def call(*arguments, alone=False):
        path = os.pathsep.join(map(str, [shadow, site] if alone else [site]))
        return subprocess.run(
            [sys.executable, "-m", "burnish.cli.main", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": path},
            timeout=120,
        )

    return call
