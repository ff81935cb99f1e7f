"""A federation that learns in milliseconds."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def regression():
    """The module of that name, a file of its own since scripts and Flower apps need it, too."""
    path = Path(__file__).with_name("regression.py")
    spec = importlib.util.spec_from_file_location("regression", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["regression"] = module  # where dataclasses look up annotations
    spec.loader.exec_module(module)
    return module
