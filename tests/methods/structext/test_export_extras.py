"""What a user without one of the tools is told."""

import subprocess
import sys

import pytest

from burnish.methods.structext import exports

SCRIPT = """
import sys

sys.modules[sys.argv[1]] = None  # as if it were not installed

from burnish.errors import MissingExtra
from burnish.methods import structext

try:
    getattr(structext, sys.argv[2])
except MissingExtra as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("package", "function", "distribution"),
    [
        ("inspect_ai", "inspect_task", "inspect-ai"),
        ("datasets", "export_datasets", "datasets"),
        ("reasoning_gym", "reasoning_gym_dataset", "reasoning-gym"),
    ],
)
def test_a_missing_tool_is_named_with_the_command(package, function, distribution) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, package, function],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (
        f"structext.{function} needs {distribution}, which is not installed; "
        'run: pip install "burnish[structext]"\n'
    )


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'export_helm'"):
        _ = exports.export_helm
