"""Suites as lm-evaluation-harness tasks, run with the harness's own evaluator."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from burnish.errors import UsageError
from burnish.methods.structext import Suite, build, export_lm_eval, messages

# In a process of its own: the harness seeds the global generators and registers models.
HARNESS = r"""
import json
import sys

import lm_eval
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager


class Answering(LM):
    def generate_until(self, requests, disable_tqdm=False):
        answers = [r.doc["answer"] if r.doc["language"] == "json" else "0x0" for r in requests]
        return [f"Let me see.\n### Answer:\n{answer}" for answer in answers]

    def loglikelihood(self, requests):
        raise NotImplementedError

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


manager = TaskManager(include_path=sys.argv[1], include_defaults=False)
results = lm_eval.simple_evaluate(
    model=Answering(), tasks=["structext"], task_manager=manager, bootstrap_iters=0
)
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump({key: results[key] for key in ("results", "samples")}, file, default=str)
"""


@pytest.fixture(scope="module")
def suite() -> Suite:
    return build(
        rules=("json.2", "json.4", "csv.2"),
        grid=((1, 1),),
        shots=(0, 2),
        hints=(True,),
        n=1,
        seed=5,
    )


@pytest.fixture(scope="module")
def outcome(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if find_spec("lm_eval") is None:
        pytest.skip("lm-eval is not installed")
    tmp = tmp_path_factory.mktemp("harness")
    exported = export_lm_eval(suite, tmp / "exported", prompt="paper", style="cot")
    moved = exported.rename(tmp / "moved")
    script = tmp / "harness.py"
    script.write_text(HARNESS)
    environment = os.environ | {
        "HF_HOME": str(tmp / "cache"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, str(script), str(moved), str(tmp / "results.json")],
        cwd=tmp,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((tmp / "results.json").read_text())


@pytest.mark.parametrize("metric", ["rouge_l_75,none", "exact,none"])
def test_gold_answers_score_one_and_wrong_ones_nothing(outcome, metric: str) -> None:
    assert outcome["results"]["structext_json"][metric] == pytest.approx(1)
    assert outcome["results"]["structext_csv"][metric] == 0
    assert outcome["results"]["structext"][metric] == pytest.approx(2 / 3)


def test_the_harness_asks_with_our_prompts(outcome, suite: Suite) -> None:
    asked = {
        sample["doc"]["id"]: sample["arguments"][0][0]
        for samples in outcome["samples"].values()
        for sample in samples
    }
    assert asked == {
        sample.id: messages(sample, prompt="paper", style="cot")[0].content for sample in suite
    }


def test_only_what_was_exported_is_in_the_folder(suite: Suite, tmp_path: Path) -> None:
    folder = export_lm_eval(suite, tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == [
        "csv.jsonl",
        "csv.yaml",
        "json.jsonl",
        "json.yaml",
        "structext.yaml",
        "structext_metrics.py",
    ]
    with pytest.raises(UsageError, match="new or empty folder"):
        export_lm_eval(suite, tmp_path)


def test_an_empty_suite_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the suite is empty"):
        export_lm_eval(Suite(()), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("style", "tokens"), [("naive", 1300), ("cot", 1300 + 1024)])
def test_the_reply_has_room_for_the_longest_answer(
    suite: Suite, tmp_path: Path, style: str, tokens: int
) -> None:
    long = replace(suite[0], answer="xyz " * 1000)
    folder = export_lm_eval(Suite((long,)), tmp_path, style=style)
    assert f"max_gen_toks: {tokens}\n" in (folder / f"{long.language}.yaml").read_text()
