from __future__ import annotations

import subprocess
import sys
from types import ModuleType

from burnish.methods import nlpguard


def test_every_public_name_is_there_and_none_is_a_module():
    for name in nlpguard.__all__:
        assert not isinstance(getattr(nlpguard, name), ModuleType), name


def test_the_package_draws_no_heavy_library_in():
    heavy = ("torch", "pandas", "sklearn", "transformers")
    code = (
        "import sys; from burnish.methods.nlpguard import METHOD, cli; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
