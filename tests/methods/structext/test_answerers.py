"""Who answers: exact solvers, floors, guesses of the right type, and models behind the seam."""

import json
import os
import random
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from burnish.chat import ChatModel, Message, ScriptedChat
from burnish.errors import ChatError, ConfigError, ContextOverflow, UsageError
from burnish.methods.structext.answerers import (
    Answerer,
    ChatAnswerer,
    Constant,
    CopyLastShot,
    DocumentOrderOracle,
    ForcedChoice,
    OneByOne,
    Oracle,
    RandomTyped,
    SimpleAnswerer,
    reply_tokens,
)
from burnish.methods.structext.candidates import typed_answers
from burnish.methods.structext.generate import build
from burnish.methods.structext.prompts import messages
from burnish.methods.structext.rules import RULES
from burnish.methods.structext.sample import Difficulty, Sample, Shot
from burnish.methods.structext.scorers import score
from burnish.methods.structext.solver import solve

TREE = "y->z\nz->ab\nz->bb\ny->cb\ncb->db\ncb->eb"
CSV = (
    "primeKey,gender,age,name,height,weight,color\n"
    "a,male,32,d,202,100,brown\nb,male,69,e,134,89,white\n\n"
    "primeKey,status,salary,company,location\n"
    "a,employed,69532,OPENAI,WA\nb,retired,753975,OPENAI,HI"
)
JSON = (
    '{\n"id":"e",\n"Z":"m",\n"subs":[\n {\n "id":"f",\n "Y":"l",\n "X":"k",\n "subs":[]\n },\n'
    ' {\n "id":"g",\n "W":"j",\n "subs":[]\n }\n]\n}'
)
YAML = (
    'id: "f"\nZ: h,\nsubs: \n- id: "g"\n  W: e,\n  subs: []\n- id: "j"\n  F: n,\n  E: m,\n'
    "  subs: []"
)
XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<A Z="p">\n <B Y="o" X="n">\n  cafe\n </B>\n'
    ' <C W="m">\n  dentist\n </C>\n banana\n</A>'
)
MARKDOWN = (
    "r\nsalvage **apple lamb** qualify\n# s\ntransformer yogurt\n## t\nunique **far** wake\n"
    '# v\nvigor ![alt](dg.jpeg "hover text")far'
)
ORG = "d\npe[[ff.gif]]rish *wake* lamb\n* e\nqualify lamb\n** f\nravish lamb\n* h\nunique lamb"
LATEX = (
    "r\nsalvage \\textbf{halo} ravish\n\\section{s}\ntransformer halo\n\\section{t}\n"
    "unique \\includegraphics[width=0.5\\textwidth]{jf.jpg}yogurt"
)
TEXTS = {
    "tree": TREE,
    "csv": CSV,
    "json": JSON,
    "yaml": YAML,
    "xml": XML,
    "markdown": MARKDOWN,
    "org": ORG,
    "latex": LATEX,
}
VARIABLES = {
    "tree.2": {"node": "bb"},
    "tree.3": {"node": "eb"},
    "csv.1": {"field": "age", "key": "a"},
    "csv.2": {"salary": "141800"},
    "csv.3": {"gender": "male"},
    "csv.4": {"city": "WA", "height": "158"},
    "json.1": {"id": "f"},
    "json.4": {"value": "k"},
    "yaml.1": {"id": "g"},
    "yaml.4": {"value": "m"},
    "xml.1": {"tag": "B"},
    "xml.2": {"value": "m"},
    "markdown.2": {"path": "1th subsection under 1th section"},
    "org.2": {"path": "2th section"},
    "latex.2": {"path": "1th section"},
}


def question(rule: str) -> str:
    text = RULES[rule].template("official")
    for name, value in VARIABLES.get(rule, {}).items():
        text = text.replace(f"{{{name}}}", value)
    if "{" in text:
        raise AssertionError(f"{rule} has other variables: {text}")
    return text


def sample(rule: str, **changes) -> Sample:
    language = RULES[rule].language
    depth = 1 if language in ("json", "yaml", "xml", "latex") else 2
    plain = Sample(
        language=language,
        task=RULES[rule].task,
        rule=rule,
        difficulty=Difficulty(depth, 2 if depth == 1 else 1),
        text=TEXTS[language],
        question=question(rule),
        answer="",
        compare=RULES[rule].compare,
        profile="official",
    )
    answer = solve(plain.text, plain.question, rule, plain.difficulty, profile="official")
    return replace(plain, **({"answer": answer} | changes))


EVERY = [sample(rule) for rule in RULES]


def said(answerer: Answerer | SimpleAnswerer, samples) -> list[str]:
    asked = OneByOne(answerer) if isinstance(answerer, SimpleAnswerer) else answerer
    found = dict(asked.answers(samples))
    assert sorted(found) == list(range(len(samples)))
    return [found[index].text for index in range(len(samples))]


def test_every_answerer_is_one():
    model = ScriptedChat({})
    simple = (Oracle(), DocumentOrderOracle(), Constant(EVERY), RandomTyped(), CopyLastShot())
    for answerer in simple:
        assert isinstance(answerer, SimpleAnswerer)
        assert OneByOne(answerer).identity == answerer.identity
    for answerer in (ChatAnswerer(model), ForcedChoice(model), OneByOne(Oracle())):
        assert isinstance(answerer, Answerer)
        assert answerer.identity
    assert not isinstance(model, Answerer | SimpleAnswerer)


class Crowd:
    """Counts how many calls are in flight; one sample fails and one has no answer."""

    def __init__(self) -> None:
        self.now, self.most, self.lock = 0, 0, threading.Lock()

    def answer(self, sample: Sample) -> str:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.01)
        with self.lock:
            self.now -= 1
        if sample.rule == "csv.2":
            raise ChatError("the line is down")
        if sample.rule == "csv.3":
            raise UsageError("nobody knows")
        return sample.answer


@pytest.mark.parametrize("concurrency", [1, 4])
def test_any_object_that_answers_is_asked_that_many_at_once(concurrency):
    crowd = Crowd()
    found = dict(OneByOne(crowd, concurrency=concurrency).answers(EVERY))
    assert sorted(found) == list(range(len(EVERY)))
    assert crowd.most == concurrency
    for index, one in enumerate(EVERY):
        if one.rule == "csv.2":
            assert found[index].error == "ChatError: the line is down"
        elif one.rule == "csv.3":
            assert "nobody knows" in found[index].skipped
        else:
            assert found[index].text == one.answer


def test_a_concurrency_below_one_is_refused():
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        OneByOne(Oracle(), concurrency=0)


def test_oracles_solve_from_the_text_alone():
    blank = [replace(one, answer="?") for one in EVERY]
    gold = [one.answer for one in EVERY]
    assert said(DocumentOrderOracle(), blank) == gold
    assert said(Oracle(), blank) == gold


def test_only_the_oracle_takes_the_order_of_the_reference():
    shuffled = sample("markdown.1", answer="far\napple lamb")
    assert said(Oracle(), [shuffled]) == ["far\napple lamb"]
    assert said(DocumentOrderOracle(), [shuffled]) == ["apple lamb\nfar"]
    wrong = sample("markdown.1", answer="far\nwide")
    assert said(Oracle(), [wrong]) == ["apple lamb\nfar"]


def test_an_oracle_skips_what_the_text_does_not_answer():
    broken = sample("json.1", text="{", answer="?")
    ((_, answer),) = OneByOne(Oracle()).answers([broken])
    assert "it has no answer" in answer.skipped


def test_constant_says_the_most_frequent_reference_of_the_rule():
    fitted = [sample("tree.2", answer=depth) for depth in ("1", "2", "2", "1", "2")]
    constant = Constant([*fitted, sample("json.2")])
    assert said(constant, EVERY[:3]) == ["", "2", ""]
    assert constant.identity == Constant([*fitted, sample("json.2")]).identity
    assert constant.identity != Constant(fitted).identity


def test_copy_last_shot():
    shots = (Shot("a->b", "q", "one"), Shot("a->b", "q", "two"))
    assert said(CopyLastShot(), [sample("tree.2", shots=shots), sample("tree.2")]) == ["two", ""]


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.rule)
def test_typed_answers_are_distinct_and_hold_the_right_one(one):
    found = list(typed_answers(replace(one, answer="?"), random.Random(0)))
    assert len(found) == len(set(found)) >= 2
    assert one.answer in found
    assert found != list(typed_answers(one, random.Random(1))) or len(found) == 2


def test_typed_answers_by_hand():
    def answers(rule):
        return sorted(typed_answers(sample(rule), random.Random(0)))

    assert answers("tree.1") == ["0", "1", "2", "3", "4", "5", "6"]
    assert answers("csv.2") == ["0", "1", "2", "3", "4"]
    ages = answers("csv.1")
    assert {"32", "69"} < set(ages)
    assert len(ages) == 5
    assert all(age.isdigit() for age in ages)
    assert set(answers("json.2")) > {"e", "f", "g"}
    assert set(answers("xml.2")) > {"A", "B", "C"}
    assert answers("xml.3") == ["False", "True"]
    assert set(answers("yaml.4")) > {'obj["Z"]', 'obj["subs"][0]["W"]', 'obj["subs"][1]["E"]'}
    deep = ["y->cb->db", "y->cb->eb", "y->z->ab", "y->z->bb"]
    assert answers("tree.3") == sorted(["y", "y->cb", "y->z", *deep])
    sections = ["* e\nqualify lamb\n** f\nravish lamb", "* h\nunique lamb", "** f\nravish lamb"]
    assert set(answers("org.2")) > set(sections)


SMALL = {
    "tree": "x->y",
    "csv": "\n".join(line for line in CSV.split("\n") if not line.startswith("b,")),
    "json": '{\n"id":"x",\n"Z":"b",\n"subs":[\n {\n "id":"y",\n "Y":"a",\n "subs":[]\n }\n]\n}',
    "yaml": 'id: "x"\nZ: b,\nsubs: \n- id: "y"\n  Y: a,\n  subs: []',
    "xml": '<?xml version="1.0"?>\n<A Z="b">\n <B Y="a">\n  cafe\n </B>\n far\n</A>',
    "markdown": "x\ncafe far\n# y\nvigor lamb",
    "org": "x\ncafe far\n* y\nvigor lamb",
    "latex": "x\ncafe far\n\\section{y}\nvigor lamb",
}


@pytest.mark.parametrize("rule", [rule for rule in RULES if RULES[rule].task != "Syntax"])
def test_the_smallest_documents_have_five_answers_too(rule):
    small = SMALL[RULES[rule].language]
    wording = RULES[rule].template("official")
    asked = {"node": "y", "id": "y", "value": "a", "tag": "B", "path": "1th section"}
    for name, value in (VARIABLES.get(rule, {}) | asked).items():
        wording = wording.replace(f"{{{name}}}", value)
    one = replace(sample(rule), text=small, question=wording, difficulty=Difficulty(1, 1))
    answer = solve(small, wording, rule, one.difficulty, profile="official")
    found = list(typed_answers(one, random.Random(0)))
    assert answer in found
    assert len(found) >= 5


def test_typed_answers_refuse_an_unknown_rule():
    with pytest.raises(UsageError, match=r"unknown rule 'toml.1'; there are: tree.1"):
        next(typed_answers(replace(EVERY[0], rule="toml.1"), random.Random(0)))


def test_random_typed_is_seeded_by_the_sample_not_by_its_place():
    forth, back = said(RandomTyped(seed=3), EVERY), said(RandomTyped(seed=3), EVERY[::-1])
    assert forth == back[::-1]
    assert forth != said(RandomTyped(seed=4), EVERY)


def test_random_typed_is_right_as_often_as_chance():
    asked = [sample("tree.2", hint=str(number)) for number in range(700)]
    hits = sum(answer == "2" for answer in said(RandomTyped(), asked))
    assert 70 <= hits <= 130  # 1/7 of 700, four standard deviations either way


def test_chat_answerer_asks_with_the_prompt_and_maps_replies_back():
    seen = []

    def script(request):
        seen.append(request)
        return next(one.rule for one in EVERY if messages(one) == request.messages)

    answerer = ChatAnswerer(ScriptedChat(script), temperature=0.95, top_p=0.9, seed=7)
    assert said(answerer, EVERY) == [one.rule for one in EVERY]
    assert {(r.temperature, r.top_p, r.seed) for r in seen} == {(0.95, 0.9, 7)}
    languages = [r.messages[0].content.split()[4] for r in seen]
    assert languages == sorted(languages)


def test_chat_answerer_keeps_the_raw_reply_official_scoring_wants():
    ((_, answer),) = ChatAnswerer(ScriptedChat(lambda _: " 3\n")).answers(EVERY[:1])
    assert (answer.text, answer.raw) == (" 3\n", "")


def test_chat_answerer_tells_skipped_from_failed():
    replies = [ContextOverflow("too long"), ChatError("no route"), "3"]
    found = dict(ChatAnswerer(ScriptedChat(replies)).answers(EVERY[:3]))
    assert sorted((a.skipped, a.error, a.text) for a in found.values()) == [
        ("", "", "3"),
        ("", "ChatError: no route", ""),
        ("too long", "", ""),
    ]


def test_prompt_hash_follows_the_words():
    model = ScriptedChat({}, identity="m")
    plain, hinted = sample("tree.2"), sample("tree.2", hint="Count.")
    release = ChatAnswerer(model)
    assert release.prompt_hash(plain) == ChatAnswerer(model).prompt_hash(plain)
    assert release.prompt_hash(plain) != release.prompt_hash(hinted)
    assert release.prompt_hash(plain) != ChatAnswerer(model, prompt="paper").prompt_hash(plain)
    assert release.prompt_hash(plain) != ChatAnswerer(model, max_tokens=7).prompt_hash(plain)


def test_settings_out_of_range_are_refused():
    model = ScriptedChat({})
    with pytest.raises(ConfigError, match="max_tokens must be at least 1, got 0"):
        ChatAnswerer(model, max_tokens=0)
    with pytest.raises(ConfigError, match="at least 1 distractor"):
        ForcedChoice(model, distractors=0)


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.rule)
def test_choices_hold_the_reference_once_and_nothing_else_right(one):
    choices = ForcedChoice(ScriptedChat({})).choices(one)
    assert len(choices) == (2 if one.task == "Syntax" else 5)
    assert choices.count(one.answer) == 1
    right = [c for c in choices if score(c, one.answer, metric="exact", compare=one.compare)]
    assert right == [one.answer]


def test_the_reference_has_no_favourite_place():
    asked = [sample("tree.1", hint=str(number)) for number in range(300)]
    choice = ForcedChoice(ScriptedChat({}))
    places = Counter(choice.choices(one).index(one.answer) for one in asked)
    assert min(places[place] for place in range(5)) > 30


def test_forced_choice_takes_the_best_mean_not_the_best_sum():
    def log_probs(_: list[Message], text: str) -> list[float]:
        return [-1.0] * 9 if text == "2" else [-1.5]

    model = ScriptedChat({}, log_probs=log_probs)
    ((_, answer),) = ForcedChoice(model).answers([sample("tree.2")])
    assert (answer.text, answer.choices) == ("2", 5)


def test_forced_choice_gives_the_prompt_and_records_refusals():
    asked = []

    def log_probs(turns, _):
        asked.append(tuple(turns))
        raise ContextOverflow("too long")

    one = sample("tree.2")
    ((_, answer),) = ForcedChoice(ScriptedChat({}, log_probs=log_probs)).answers([one])
    assert asked == [messages(one)]
    assert answer.skipped == "too long"
    ((_, answer),) = ForcedChoice(ScriptedChat({})).answers([one])
    assert "no log_probs" in answer.error


@pytest.mark.parametrize(
    ("answer", "style", "tokens"),
    [
        ("2", "naive", 64),
        ("2", "cot", 64 + 1024),
        ('"Z":"m",\n' * 20, "naive", 234),  # 9 marks a line
        ("transformer " * 30, "naive", 156),  # 4 for each word
    ],
)
def test_reply_tokens(answer, style, tokens):
    assert reply_tokens(answer, style) == tokens


@pytest.mark.parametrize("profile", ["official", "corrected"])
def test_generated_suites_have_an_oracle_a_floor_and_fair_choices(profile):
    grid = ((1, 1), (1, 2), (2, 1))
    suite = build(n=2, seed=1, grid=grid, profile=profile)
    floor = Constant(build(n=10, seed=2, grid=grid, profile=profile))
    scores = [
        sum(
            score(answer, one.answer, metric="exact", compare=one.compare)
            for answer, one in zip(said(answerer, suite), suite, strict=True)
        )
        / len(suite)
        for answerer in (floor, DocumentOrderOracle(), Oracle())
    ]
    assert scores[0] < 0.4
    assert scores[1:] == [1.0, 1.0]
    choice = ForcedChoice(ScriptedChat({}))
    for one in suite:
        assert len(choice.choices(one)) == (2 if one.task == "Syntax" else 5)


def conformance() -> list[Sample]:
    folder = os.environ.get("BURNISH_CONFORMANCE")
    if not folder:
        pytest.skip("set BURNISH_CONFORMANCE to the folder that holds structext/visible.jsonl")
    lines = (Path(folder) / "structext" / "visible.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return [
        Sample(
            language=record["language"],
            task=record["task"],
            rule=record["rule"],
            difficulty=Difficulty(**record["difficulty"]),
            text=record["text"],
            question=record["question"],
            answer=record["answer"],
            compare=record["compare"],
            profile="official",
        )
        for record in records
        if "question-path-truncated" not in record["known_issues"]
    ]


def test_released_samples_have_an_oracle_and_fair_choices():
    samples = conformance()
    assert said(Oracle(), samples) == [one.answer for one in samples]
    choice = ForcedChoice(ScriptedChat({}))
    for one in samples:
        choices = choice.choices(one)
        assert choices.count(one.answer) == 1
        assert len(choices) == (2 if one.task == "Syntax" else 5)


def protocol_check(model: ChatModel) -> Answerer:
    """Read by the type checker: a chat model with an answerer around it is one."""
    return ChatAnswerer(model)
