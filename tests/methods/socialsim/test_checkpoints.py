from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from burnish.methods.socialsim.checkpoints import ENGINE

LISTING = """
import sys, burnish.methods.socialsim.loop
print(*(n for n in sys.modules if n.startswith("burnish.methods.socialsim.")))
"""


def test_the_manifest_counts_every_module_that_the_loop_imports():
    names = subprocess.run(
        [sys.executable, "-c", LISTING], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {Path(name).suffix[1:] for name in names} == set(ENGINE)
