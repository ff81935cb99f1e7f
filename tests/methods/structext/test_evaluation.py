"""Asking, logging, resuming: what is asked again and what never is, and what a log refuses."""

import json
from collections.abc import Iterator, Sequence

import pytest
from filelock import FileLock

from burnish.chat import Budget, Reply, ScriptedChat, Usage
from burnish.errors import ChatError, ContextOverflow, DataError, UsageError
from burnish.methods.structext.answerers import Answer, ChatAnswerer
from burnish.methods.structext.evaluation import evaluate
from burnish.methods.structext.results import load_log
from burnish.methods.structext.sample import Difficulty, Sample
from burnish.methods.structext.scorers import JudgeScorer


def tree(index: int, depth: int = 1) -> Sample:
    return Sample(
        language="tree",
        task="Tree.Depth",
        rule="tree.2",
        difficulty=Difficulty(depth, 1),
        text=f"r{index % 4}->n{index}",
        question=f"What is the depth of node n{index}? Answer an integer, root is of depth 0.",
        answer=str(index % 3),
    )


SUITE = [tree(index, depth=1 + index % 2) for index in range(12)]


class Clerk:
    """Answers with the reference but for every fourth sample, and remembers who was asked."""

    def __init__(self, identity: str = "clerk", fail: Sequence[str] = ()) -> None:
        self.identity = identity
        self.fail = fail
        self.asked: list[str] = []

    def prompt_hash(self, sample: Sample) -> str:
        return sample.id

    def answers(self, samples: Sequence[Sample]) -> Iterator[tuple[int, Answer]]:
        for index, sample in reversed(list(enumerate(samples))):
            self.asked.append(sample.id)
            if sample.id in self.fail:
                yield index, Answer(error="ChatError: no route")
            else:
                wrong = SUITE.index(sample) % 4 == 0
                usage = Usage(prompt_tokens=10, completion_tokens=1, usd=0.5)
                yield index, Answer(text="nine" if wrong else sample.answer, usage=usage)


def exact(run) -> float:
    return run.table()[0].scores["exact"].estimate


def test_a_chat_model_is_asked_in_the_prompt_and_style_given(tmp_path):
    seen = []

    def script(request):
        seen.append(request)
        return "First.\n### Answer:\n1"

    run = evaluate(SUITE, ScriptedChat(script), prompt="paper", style="cot", log_dir=tmp_path)
    assert len(seen) == 12
    assert "file parser" in seen[0].messages[0].content
    assert all(request.max_tokens == 64 + 1024 for request in seen)
    record = next(run.records())
    assert (record["prediction"], record["raw"]) == ("1", "First.\n### Answer:\n1")
    assert exact(run) == pytest.approx(4 / 12)
    assert run.tokens > 0


def test_an_answerer_keeps_its_own_prompt():
    with pytest.raises(UsageError, match="prompt and style say how to ask a chat model"):
        evaluate(SUITE, Clerk(), prompt="paper")


def test_the_log_is_the_result(tmp_path):
    run = evaluate(SUITE, Clerk(), log_dir=tmp_path)
    again = load_log(tmp_path)
    assert again.table(["depth"]) == run.table(["depth"])
    assert [record["prediction"] for record in again.records()] == [
        record["prediction"] for record in run.records()
    ]
    first = json.loads((tmp_path / "records.jsonl").read_text().splitlines()[1])
    assert first["id"] == SUITE[-1].id
    assert first["scores"] == pytest.approx({"rouge_l_75": 1.0, "exact": 1.0})
    assert (first["prompt_tokens"], first["usd"]) == (10, 0.5)


def test_without_a_folder_the_log_is_in_memory():
    run = evaluate(SUITE, Clerk())
    assert exact(run) == 0.75
    assert len(list(run.records())) == 12


def test_a_second_run_asks_nothing(tmp_path):
    run = evaluate(SUITE, Clerk(), log_dir=tmp_path)
    clerk, told = Clerk(), []
    again = evaluate(SUITE, clerk, log_dir=tmp_path, progress=lambda *at: told.append(at))
    assert clerk.asked == []
    assert told == [(12, 12)]
    assert again.table() == run.table()


def test_a_failed_call_is_asked_again_and_scores_nothing_till_then(tmp_path):
    failing = [SUITE[1].id, SUITE[2].id]
    run = evaluate(SUITE, Clerk(fail=failing), log_dir=tmp_path)
    (row,) = run.table()
    assert (row.n, row.errors, row.scores["exact"].estimate) == (12, 2, pytest.approx(7 / 12))
    clerk, told = Clerk(), []
    again = evaluate(SUITE, clerk, log_dir=tmp_path, progress=lambda *at: told.append(at))
    assert sorted(clerk.asked) == sorted(failing)
    assert told == [(10, 12), (11, 12), (12, 12)]
    assert (again.table()[0].errors, exact(again)) == (0, 0.75)
    assert len(list(again.records())) == 12


def test_overflow_is_skipped_and_counts_by_choice(tmp_path):
    def script(request):
        if "node n3?" in request.messages[0].content:
            return ContextOverflow("the prompt has 99 tokens, the context 50")
        return "1"

    run = evaluate(SUITE, ScriptedChat(script), log_dir=tmp_path)
    assert (run.table()[0].n, run.table()[0].skipped) == (12, 1)
    left_out = load_log(tmp_path, count_skipped=False)
    assert (left_out.table()[0].n, left_out.table()[0].skipped) == (11, 1)
    assert exact(left_out) == pytest.approx(exact(run) * 12 / 11)
    skipped = [record for record in run.records() if record["status"] == "skipped"]
    assert skipped[0]["reason"] == "the prompt has 99 tokens, the context 50"


def test_a_chat_error_is_recorded_and_the_others_go_on():
    def script(request):
        return ChatError("no\nroute") if "node n3?" in request.messages[0].content else "1"

    run = evaluate(SUITE, ScriptedChat(script))
    (failed,) = [record for record in run.records() if record["status"] == "error"]
    assert failed["reason"] == "ChatError: no route"
    assert run.table()[0].errors == 1


@pytest.mark.parametrize("budget", [Budget(tokens=40), Budget(usd=1.6)])
def test_a_budget_stops_at_the_answer_that_passes_it(tmp_path, budget):
    run = evaluate(SUITE, Clerk(), log_dir=tmp_path, budget=budget)
    assert "the budget is" in run.stopped
    assert (len(run.rows), run.unanswered) == (4, 8)
    clerk = Clerk()
    rest = evaluate(SUITE, clerk, log_dir=tmp_path)
    assert len(clerk.asked) == 8
    assert (rest.stopped, rest.unanswered, exact(rest)) == ("", 0, 0.75)


def test_a_time_budget_stops(tmp_path):
    run = evaluate(SUITE, Clerk(), log_dir=tmp_path, budget=Budget(seconds=1e-9))
    assert (len(run.rows), run.unanswered) == (1, 11)


def test_cached_replies_are_free():
    reply = Reply(text="1", usage=Usage(prompt_tokens=1000), cached=True)
    run = evaluate(SUITE, ScriptedChat(lambda _: reply), budget=Budget(tokens=10))
    assert (run.stopped, len(run.rows)) == ("", 12)


def test_a_new_metric_comes_from_the_recorded_answers(tmp_path):
    evaluate(SUITE, Clerk(), log_dir=tmp_path, scorers=["exact"])
    clerk = Clerk()
    run = evaluate(SUITE, clerk, log_dir=tmp_path, scorers=["exact", "integer"])
    assert clerk.asked == []
    assert run.metrics == ("exact", "integer")
    assert load_log(tmp_path).table() == run.table()


def test_rescoring_equals_scoring_at_once(tmp_path):
    evaluate(SUITE, Clerk(), log_dir=tmp_path, scorers=["exact"])
    size = (tmp_path / "records.jsonl").stat().st_size
    rescored = load_log(tmp_path).rescore(["rouge_l_75", "structural"])
    at_once = evaluate(SUITE, Clerk(), scorers=["exact", "rouge_l_75", "structural"])
    assert rescored.table(["rule"]) == at_once.table(["rule"])
    assert (tmp_path / "records.jsonl").stat().st_size == size
    assert set(next(rescored.records())["scores"]) == {"exact", "rouge_l_75", "structural"}


def test_a_judge_is_asked_once_each(tmp_path):
    asked = []

    def script(request):
        asked.append(request.messages[0].content)
        return ChatError("down") if len(asked) == 1 else "no"

    judge = JudgeScorer(ScriptedChat(script))
    run = evaluate(SUITE, Clerk(), log_dir=tmp_path, scorers=["exact", judge])
    (row,) = run.table()
    assert (len(asked), row.unscored["judge"]) == (3, 1)
    assert row.scores["judge"].estimate == pytest.approx(9 / 11)
    run = evaluate(SUITE, Clerk(), log_dir=tmp_path, scorers=["exact", judge])
    assert (len(asked), run.table()[0].unscored["judge"]) == (4, 0)


def test_equal_samples_are_asked_and_counted_once():
    clerk = Clerk()
    run = evaluate([*SUITE, *SUITE[:3]], clerk)
    assert (len(clerk.asked), run.table()[0].n) == (12, 12)


def test_the_last_line_may_be_cut_anywhere(tmp_path):
    evaluate(SUITE, Clerk(), log_dir=tmp_path)
    path = tmp_path / "records.jsonl"
    whole = path.read_bytes()
    wanted = load_log(tmp_path).table()
    begins = whole.rindex(b"\n", 0, len(whole) - 1) + 1
    for end in range(begins, len(whole), 37):
        path.write_bytes(whole[:end])
        assert len(load_log(tmp_path).rows) == 11
        assert path.read_bytes() == whole[:end]
        clerk = Clerk()
        run = evaluate(SUITE, clerk, log_dir=tmp_path)
        assert clerk.asked == [SUITE[0].id]
        assert run.table() == wanted
        assert path.read_bytes() == whole


def test_a_header_may_be_cut_too(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_bytes(b'{"structext_lo')
    assert len(evaluate(SUITE, Clerk(), log_dir=tmp_path).rows) == 12
    assert len(load_log(tmp_path).rows) == 12


def test_a_log_of_another_answerer_is_refused(tmp_path):
    evaluate(SUITE, Clerk(), log_dir=tmp_path)
    with pytest.raises(UsageError, match="was made by 'clerk', but now 'other' answers"):
        evaluate(SUITE, Clerk("other"), log_dir=tmp_path)


def test_settings_are_part_of_a_chat_answerers_name(tmp_path):
    model = ScriptedChat(lambda _: "1", identity="m")
    evaluate(SUITE, ChatAnswerer(model), log_dir=tmp_path)
    for changed in ({"style": "cot"}, {"prompt": "paper"}, {"temperature": 1.0}, {"seed": 3}):
        with pytest.raises(UsageError, match="was made by"):
            evaluate(SUITE, ChatAnswerer(model, **changed), log_dir=tmp_path)


def test_other_words_are_refused(tmp_path):
    class Rewording(Clerk):
        def prompt_hash(self, sample: Sample) -> str:
            return "new words"

    evaluate(SUITE, Clerk(), log_dir=tmp_path)
    with pytest.raises(UsageError, match="in other words than now"):
        evaluate(SUITE, Rewording(), log_dir=tmp_path)


def test_a_log_of_other_samples_is_refused_but_a_suite_may_grow(tmp_path):
    evaluate(SUITE[:5], Clerk(), log_dir=tmp_path)
    with pytest.raises(UsageError, match="which is not in this suite"):
        evaluate(SUITE[1:], Clerk(), log_dir=tmp_path)
    clerk = Clerk()
    evaluate(SUITE, clerk, log_dir=tmp_path)
    assert len(clerk.asked) == 7


def test_resume_may_be_forbidden(tmp_path):
    evaluate(SUITE, Clerk(), log_dir=tmp_path, resume=False)
    with pytest.raises(UsageError, match="already holds 12 answers"):
        evaluate(SUITE, Clerk(), log_dir=tmp_path, resume=False)


def test_a_log_in_use_is_refused(tmp_path):
    with (
        FileLock(tmp_path / "records.lock"),
        pytest.raises(UsageError, match="another evaluation is writing"),
    ):
        evaluate(SUITE, Clerk(), log_dir=tmp_path)


def test_a_damaged_log_is_refused_and_left_alone(tmp_path):
    evaluate(SUITE, Clerk(), log_dir=tmp_path)
    path = tmp_path / "records.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:3], b"\x00\x00\n", *lines[4:]])
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="line 4: no JSON object"):
        evaluate(SUITE, Clerk(), log_dir=tmp_path)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("content", [b"my notes", b'{"a": 1}\n', b'{"structext_log": 99}\n'])
def test_a_file_that_is_no_log_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "records.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is no evaluation log"):
        evaluate(SUITE, Clerk(), log_dir=tmp_path)
    assert path.read_bytes() == content


def test_an_answerer_that_breaks_leaves_its_answers(tmp_path):
    class Breaking(Clerk):
        def answers(self, samples):
            yield from list(super().answers(samples))[:5]
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        evaluate(SUITE, Breaking(), log_dir=tmp_path)
    assert len(load_log(tmp_path).rows) == 5


def test_unknown_metrics_are_refused_before_anything_is_asked(tmp_path):
    clerk = Clerk()
    with pytest.raises(UsageError, match="unknown metric 'f1'"):
        evaluate(SUITE, clerk, log_dir=tmp_path, scorers=["f1"])
    assert clerk.asked == []


def test_any_reply_can_be_logged(tmp_path):
    reply = "line\u2028separator \ud800 \x00 \n \u4e2d"
    evaluate(SUITE, ScriptedChat(lambda _: reply), log_dir=tmp_path)
    assert next(load_log(tmp_path).records())["prediction"] == reply
