from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # `demo_method` is found by its import string


@pytest.fixture(scope="session")
def demo():
    """Builds and executes runs of the demonstration method."""
    import demo_method

    from burnish.runs import execute
    from burnish.runs.settings import build_config

    def make(out, *overrides, preset="quick", seed=0, resume=False):
        config = build_config(demo_method.DemoConfig, preset, overrides=overrides)
        return execute(demo_method.METHOD, config, preset=preset, seed=seed, out=out, resume=resume)

    return make
