from __future__ import annotations

from dataclasses import replace

import pytest

from burnish.errors import UsageError
from burnish.methods import nlpguard


def test_a_configuration_runs_in_one_call_and_goes_on_where_it_stopped(config, tmp_path):
    few = replace(
        config, mitigations=("word_removal",), seeds=1, planted=(), guard_rounds=0, workers=1
    )
    done = nlpguard.run(few, out=tmp_path / "run", seed=3)
    assert done.manifest.status == "finished"
    assert "seed 3" in done.manifest.command
    assert {point.tags["mitigation"] for point in done.points() if "mitigation" in point.tags} == {
        "none",
        "word_removal",
    }
    again = nlpguard.run(few, out=tmp_path / "run", seed=3)
    assert again.points() == done.points()
    with pytest.raises(UsageError, match="seed"):
        nlpguard.run(few, out=tmp_path / "run", seed=4)
