"""Imports point down, methods never meet, and no two parts of the package need each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import burnish

SRC = Path(burnish.__file__).parent
SKINS = {"cli", "web"}


def imported(path: Path, package: str) -> Iterator[str]:
    """Every module below `package` that a file imports, anywhere in it, with the names taken."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == package)


def violations(path: Path, src: Path) -> list[str]:
    own = path.relative_to(src).with_suffix("").parts
    found = []
    for module in imported(path, src.name):
        part = tuple(module.split(".")[1:])
        if part[:1] == ("methods",) and part[:2] != own[:2] and own != ("methods", "__init__"):
            found.append(f"{path} reaches into {module}: methods are found through the registry")
        if part[:1] and part[0] in SKINS and own[0] not in SKINS:
            found.append(f"{path} imports {module}, which lies above it")
        if part[:1] == ("registry",) and own[0] not in {*SKINS, "methods", "runs", "__init__"}:
            found.append(f"{path} imports the registry, and primitives know no method")
    return found


def mutual(src: Path) -> set[tuple[str, str]]:
    """Pairs of direct children of `src` that import each other."""
    edges = set()
    for path in src.rglob("*.py"):
        child = path.relative_to(src).with_suffix("").parts[0]
        for module in imported(path, src.name):
            other = module.split(".")[1:2]
            edges |= {(child, name) for name in other if name != child}
    return {(a, b) for a, b in edges if (b, a) in edges and a < b}


@pytest.mark.parametrize(
    "path", sorted(SRC.rglob("*.py")), ids=lambda path: str(path.relative_to(SRC))
)
def test_imports_point_down(path):
    assert violations(path, SRC) == []


def test_no_two_parts_import_each_other():
    assert mutual(SRC) == set()


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        (
            "methods/cap/prune.py",
            "from pkg.methods.kaid import train",
            "reaches into pkg.methods.kaid",
        ),
        ("methods/cap/prune.py", "import pkg.methods.kaid.train", "reaches into"),
        ("chat/cache.py", "def f():\n    from pkg.methods.cap import prune", "reaches into"),
        ("chat/cache.py", "from pkg.cli.main import cli", "lies above it"),
        ("methods/cap/prune.py", "from pkg import web", "lies above it"),
        ("cli/run.py", "from pkg.methods.cap import prune", "reaches into"),
        ("chat/cache.py", "from pkg.registry import Method", "know no method"),
    ],
)
def test_the_check_sees_a_bad_import(tmp_path, file, line, complaint):
    path = tmp_path / "pkg" / file
    path.parent.mkdir(parents=True)
    path.write_text(line)
    assert [text for text in violations(path, tmp_path / "pkg") if complaint in text]


def test_the_check_accepts_a_good_import(tmp_path):
    path = tmp_path / "pkg" / "methods" / "cap" / "prune.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "import torch\nfrom pkg.methods.cap.config import C\nfrom pkg.chat import Reply"
    )
    assert violations(path, tmp_path / "pkg") == []


def test_the_check_sees_mutual_imports(tmp_path):
    for child, line in [
        ("chat", "from pkg.models import load"),
        ("models", "import pkg.chat.cache"),
    ]:
        folder = tmp_path / "pkg" / child
        folder.mkdir(parents=True)
        (folder / "a.py").write_text(line)
    assert mutual(tmp_path / "pkg") == {("chat", "models")}
