"""Suites as Inspect AI tasks, run with Inspect's own runner."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from burnish.errors import UsageError
from burnish.methods.structext import Suite, build, export_inspect, messages

pytestmark = pytest.mark.skipif(find_spec("inspect_ai") is None, reason="needs inspect-ai")

# In a process of its own: Inspect installs log handlers, leaves streams unclosed and still uses
# a deprecated parameter of tenacity, and warnings are errors here.
RUNNER = r"""
import sys
from pathlib import Path

import inspect_ai
from inspect_ai.log import read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model

from burnish.methods.structext import inspect_task, load, messages
from burnish.methods.structext.exports.for_inspect import structext_scorer

task_file, out = Path(sys.argv[1]), Path(sys.argv[2])
suite = load(task_file.with_name("suite.jsonl"))
answers = {
    sample.id: sample.answer if sample.language == "json" else "0x0" for sample in suite
}
known = {messages(sample)[0].content: answers[sample.id] for sample in suite} | {
    messages(sample, prompt="paper", style="cot")[0].content: (
        f"Let me see.\n### Answer:\n{answers[sample.id]}"
    )
    for sample in suite
}


def reply(conversation, tools, tool_choice, config):
    output = ModelOutput.from_content("mockllm/model", known[conversation[-1].text])
    output.usage = ModelUsage()  # otherwise Inspect fetches a tokenizer to count
    return output


model = get_model("mockllm/model", custom_outputs=reply)
for name, task, arguments in (
    ("imported", inspect_task(suite), {}),
    ("exported", f"{task_file}@structext", {"prompt": "paper", "style": "cot"}),
):
    (log,) = inspect_ai.eval(
        task, model=model, task_args=arguments, log_dir=str(out / "logs"), display="none"
    )
    log = read_eval_log(log.location)
    (out / f"{name}.json").write_text(log.model_dump_json(), encoding="utf-8")
log = inspect_ai.score(log, structext_scorer(["integer"]), action="overwrite", display="none")
(out / "rescored.json").write_text(log.model_dump_json(), encoding="utf-8")
"""


@pytest.fixture(scope="module")
def suite() -> Suite:
    return build(
        rules=("json.2", "json.4", "csv.2"),
        grid=((1, 1),),
        shots=(0, 2),
        hints=(False, True),
        n=1,
        seed=5,
    )


@pytest.fixture(scope="module")
def logs(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The logs of a model that is right about JSON and wrong about CSV."""
    tmp = tmp_path_factory.mktemp("inspect")
    task_file = export_inspect(suite, tmp / "exported", metrics=("exact",))
    script = tmp / "runner.py"
    script.write_text(RUNNER)
    done = subprocess.run(
        [sys.executable, str(script), str(task_file), str(tmp)],
        cwd=tmp,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {
        name: json.loads((tmp / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("imported", "exported", "rescored")
    }


def metrics(log: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {
        score["name"]: {name: metric["value"] for name, metric in score["metrics"].items()}
        for score in log["results"]["scores"]
    }


def test_every_sample_is_asked_under_its_own_id(suite: Suite, logs: dict[str, Any]) -> None:
    assert logs["imported"]["status"] == "success"
    asked = {sample["id"]: sample for sample in logs["imported"]["samples"]}
    assert sorted(asked) == sorted(sample.id for sample in suite)
    for sample in suite:
        assert asked[sample.id]["target"] == sample.answer
        assert asked[sample.id]["metadata"] == {
            "language": sample.language,
            "task": sample.task,
            "rule": sample.rule,
            "depth": 1,
            "width": 1,
            "columns": 6,
            "shots": len(sample.shots),
            "hint": bool(sample.hint),
            "compare": sample.compare,
            "profile": "corrected",
        }


@pytest.mark.parametrize(
    ("log", "names"), [("imported", ["rouge_l_75", "exact"]), ("exported", ["exact"])]
)
def test_right_answers_score_one_and_wrong_ones_nothing(
    logs: dict[str, Any], log: str, names: list[str]
) -> None:
    found = metrics(logs[log])
    assert list(found) == names
    for name in names:
        assert found[name]["grouped_json"] == pytest.approx(1)
        assert found[name]["grouped_csv"] == 0
        assert found[name]["mean"] == pytest.approx(2 / 3)


def test_the_exported_task_takes_another_wording(suite: Suite, logs: dict[str, Any]) -> None:
    asked = {sample["id"]: sample["input"] for sample in logs["exported"]["samples"]}
    for sample in suite:
        expected = messages(sample, prompt="paper", style="cot")
        assert [(turn["role"], turn["content"]) for turn in asked[sample.id]] == [
            (message.role, message.content) for message in expected
        ]


def test_a_stored_log_can_be_scored_anew(logs: dict[str, Any]) -> None:
    assert list(metrics(logs["rescored"])) == ["integer"]


def test_an_export_never_mixes_with_other_files(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=f"new or empty folder, but {tmp_path} is in use"):
        export_inspect(suite, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "wrong", [{"metrics": ("beauty",)}, {"prompt": "poem"}, {"style": "haiku"}], ids=str
)
def test_an_unknown_name_is_refused_before_anything_is_written(
    suite: Suite, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=r"unknown .* known are:"):
        export_inspect(suite, tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()
