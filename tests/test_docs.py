"""The documentation says what runs: every example is executed, every Python block too."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
SNIPPET = re.compile(r'^--8<-- "([^"]+)"$', re.MULTILINE)


def python_blocks(text: str) -> list[str]:
    """What a page's fenced Python blocks hold, those that only include an example left out."""
    return [block for block in BLOCK.findall(text) if not SNIPPET.search(block)]


def run(code: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *code],
        cwd=folder,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.name)
def test_every_example_runs(example: Path, tmp_path: Path) -> None:
    done = run([str(example)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), "an example shows something"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_python_block_runs(page: Path, tmp_path: Path) -> None:
    blocks = python_blocks(page.read_text())
    if not blocks:
        pytest.skip("no Python block on this page")
    done = run(["-c", "\n".join(blocks)], tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_included_file_and_linked_page_is_there(page: Path) -> None:
    text = page.read_text()
    for included in SNIPPET.findall(text):
        assert (ROOT / included).is_file(), included
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_method_pages_say_what_configs_and_results_say() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "generate_method.py"))
    for result in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        page = ROOT / "docs" / "methods" / f"{result.stem}.md"
        assert page.read_text() == made["page"](result.stem), "run python docs/generate_method.py"


def test_tables_of_a_page_follow_the_results() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "generate_method.py"))
    results = {
        "points": [
            {"name": "a_percent", "value": 12.345, "by": "all", "who": "x", "where": "here"},
            {"name": "a_percent", "value": None, "by": "all", "who": "x", "where": "there"},
            {"name": "a_percent", "value": 1.0, "by": "one", "who": "y", "where": "here"},
        ]
    }
    rows = made["points"](results, "a_percent; by=all : who, where")
    assert rows == ["| who | here | there |", "| --- | --- | --- |", "| x | 12.35 | – |"]
