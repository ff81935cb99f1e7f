import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import burnish
from burnish.methods.structext.generate import build

SCRIPT = """
import hashlib, sys
from burnish.methods.structext.generate import build
from burnish.methods.structext.solver import verify
digest = hashlib.sha256()
for profile in ("official", "corrected"):
    suite = build(grid=[(1, 1), (2, 1), (2, 2)], shots=(0, 2), hints=(False, True), n=2, seed=9,
                  profile=profile)
    for sample in suite:
        digest.update(sample.id.encode() + sample.text.encode() + sample.answer.encode())
assert all(verify(sample) for sample in suite[:200])
foreign = {"numpy", "torch", "yaml", "click", "pydantic"} & set(sys.modules)
assert not foreign, foreign
print(digest.hexdigest())
"""
KNOWN = "5fdac2b6ed2006a877fc669a5dffcdce429dc52640ef748009c5feb0949c912b"
"""Suites in the world were made like this: a change here breaks everybody's seeds."""
SOURCE = Path(burnish.__file__).parents[1]


def digest_of(python: str, hash_seed: str) -> str:
    done = subprocess.run(
        [python, "-c", SCRIPT],
        env={"PYTHONPATH": str(SOURCE), "PYTHONHASHSEED": hash_seed, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_the_string_hash_does_not_matter(hash_seed):
    assert digest_of(sys.executable, hash_seed) == KNOWN


def version_of(python: str) -> str:
    """Of a Python that starts; a shim may stand for one that is not installed."""
    ask = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()


def other_python() -> str | None:
    named = os.environ.get("BURNISH_OTHER_PYTHON")
    if named:
        return named
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    wanted = [version for version in ("3.11", "3.12", "3.13") if version != own]
    found = {version: shutil.which(f"python{version}") for version in wanted}
    return next((path for v, path in found.items() if path and version_of(path) == v), None)


def test_another_python_with_nothing_installed_makes_the_same_suite():
    python = other_python()
    if python is None:
        pytest.skip("no other Python found; set BURNISH_OTHER_PYTHON to one of 3.11 or later")
    assert digest_of(python, "7") == KNOWN


def test_shards_are_parts_of_the_whole():
    whole = hashlib.sha256("".join(s.id for s in build(n=3, seed=2)).encode()).hexdigest()
    again = hashlib.sha256("".join(s.id for s in build(n=3, seed=2)).encode()).hexdigest()
    assert whole == again
    first_pass = list(build(n=1, seed=2))
    assert list(build(n=3, seed=2))[: len(first_pass)] == first_pass
