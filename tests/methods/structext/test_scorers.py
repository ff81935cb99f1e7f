"""Scorers: what counts as right, what never raises, and the judge behind a scripted model."""

import pytest

from burnish.chat import ScriptedChat
from burnish.errors import ChatError, UsageError
from burnish.methods.structext.scorers import METRICS, JudgeScorer, extract_answer, score

JSON = '{\n"id":"f",\n"A":"m",\n"subs":[\n {\n "id":"g",\n "subs":[]\n }\n]\n}'
YAML = 'id: "f"\nno: on,\nsubs: \n- id: "g"\n  A: m,\n  subs: []'
XML = 'cafe\n<D P="f" O="e">\n dentist\n</D>\nbanana'
MARKDOWN = "# v\nwake qualify yogurt\n## w\nfar dentist"


@pytest.mark.parametrize("metric", METRICS)
def test_gold_scores_full_and_nothing_scores_zero(metric):
    full = score(JSON, JSON, metric=metric, rule="json.1")
    assert full == pytest.approx(1.0, abs=1e-8)
    assert score("", JSON, metric=metric, rule="json.1") == 0.0
    assert score(" \n\t", JSON, metric=metric, rule="json.1") == 0.0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "said",
    [
        "{" * 20_000,
        "[" * 100_000,
        "<a>" * 5000,
        "\ud800",
        "\x00",
        "9" * 6000,
        "- " * 5000,
        "&a [*a]",
    ],
    ids=["braces", "brackets", "tags", "surrogate", "nul", "digits", "dashes", "alias"],
)
@pytest.mark.parametrize("rule", ["json.1", "yaml.1", "xml.1", "markdown.2", "json.4", "tree.2"])
def test_no_answer_raises(metric, said, rule):
    gold = "3" if rule == "tree.2" else JSON
    assert 0 <= score(said, gold, metric=metric, rule=rule) < 0.5


def test_unknown_metric_lists_the_known():
    with pytest.raises(
        UsageError, match=r"unknown metric 'rouge'; known are: rouge_l_75, rouge_l,"
    ):
        score("a", "a", metric="rouge")
    with pytest.raises(UsageError, match="pass a JudgeScorer"):
        score("a", "a", metric="judge")


def test_exact_follows_the_sample():
    assert score(" a\nb ", "a\nb", metric="exact") == 1
    assert score("b\na", "a\nb", metric="exact") == 0
    assert score("b\na", "a\nb", metric="exact", compare="line_multiset") == 1
    assert score("b\na\na", "a\nb", metric="multiset") == 0
    assert score("b\n\n a", "a\nb", metric="multiset") == 1


@pytest.mark.parametrize(
    ("rule", "gold", "same", "other"),
    [
        (
            "json.1",
            JSON,
            '{"A": "m", "id": "f", "subs": [{"id": "g", "subs": []}]}',
            JSON.replace('"m"', '"n"'),
        ),
        ("json.5", JSON + "\n\n" + JSON, JSON.replace("\n", "") + "," + JSON, JSON),
        (
            "yaml.1",
            YAML,
            YAML.replace("\n", "\n    ").replace('id: "f"', "    id: f", 1),
            YAML.replace("on,", "yes,"),
        ),
        ("xml.1", XML, 'cafe <D O="e" P="f">dentist</D> banana', XML.replace("dentist", "apple")),
        (
            "markdown.2",
            MARKDOWN,
            "# v\nwake\nqualify  yogurt\n## w\n  far dentist",
            MARKDOWN.replace("##", "#"),
        ),
        (
            "latex.2",
            "\\section{v}\nwake far",
            " \\section{v}\n\n wake far",
            "\\subsection{v}\nwake far",
        ),
        ("org.2", "* v\nwake", "* v\n wake", "** v\nwake"),
        ("json.4", 'obj["subs"][0]["K"]', "obj['subs'] [0]['K']", 'obj["subs"]["0"]["K"]'),
        ("tree.3", "a->b->c", " a -> b -> c", "a->c->b"),
    ],
)
def test_structure_is_compared_without_layout(rule, gold, same, other):
    assert score(same, gold, metric="exact", rule=rule) == 0
    assert score(same, gold, metric="structural", rule=rule) == 1
    assert score(other, gold, metric="structural", rule=rule) == 0


def test_yaml_scalars_are_words_not_truths():
    assert score("no: yes", "no: true", metric="structural", rule="yaml.1") == 0


def test_yaml_aliases_are_refused():
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]"
    assert score(bomb, "a: [x, x]", metric="structural", rule="yaml.1") == 0


def test_xml_entities_are_not_expanded():
    said = '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]><r>&e;</r>'
    assert score(said, XML, metric="structural", rule="xml.1") == 0


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("3", 1),
        ("The height is 3.", 1),
        ("03", 1),
        ("**3**", 1),
        ("3 edges, so 3", 1),
        ("3 or 4", 0),
        ("-3", 0),
        ("3.5", 0),
        ("none", 0),
        ("w3", 0),
    ],
)
def test_integer(said, right):
    assert score(said, "3", metric="integer", rule="tree.1") == right


def test_integer_is_exact_where_the_reference_is_none():
    assert score("a3", "a3", metric="integer") == 1
    assert score("a 3", "a3", metric="integer") == 0


def test_bleu_is_sacrebleu_over_hundred():
    from sacrebleu import sentence_bleu

    said, gold = "the cat sat on a mat today", "the cat sat on the mat today"
    assert score(said, gold, metric="bleu") == sentence_bleu(said, [gold]).score / 100


@pytest.mark.parametrize(
    ("reply", "style", "answer"),
    [
        (" 3 \n", "naive", "3"),
        ("### Answer:\n3", "naive", "### Answer:\n3"),
        ("First 2 edges.\n### Answer:\n3", "cot", "3"),
        ("### Answer: 1, no.\n\n**Answer:** 3", "cot", "3"),
        ("Plan.\nanswer: x->y", "plan", "x->y"),
        ('So.\n### Answer:\n```json\n{\n "a": 1\n}\n```', "cot", '{\n "a": 1\n}'),
        ("no marker at all", "cot", "no marker at all"),
        ("The Answer: is not at a line's start", "cot", "The Answer: is not at a line's start"),
        ("", "cot", ""),
    ],
)
def test_extract_answer(reply, style, answer):
    assert extract_answer(reply, style) == answer


def test_extract_answer_refuses_unknown_styles():
    with pytest.raises(UsageError, match="unknown style 'tot'; known are: naive, cot, plan"):
        extract_answer("3", "tot")


def test_judge_asks_only_what_is_open():
    asked = []

    def script(request):
        asked.append(request.messages[0].content)
        if "maybe" in asked[-1]:
            return "Perhaps."
        if "broken" in asked[-1]:
            return ChatError("no route")
        return "Yes." if "same thing" in asked[-1] else "no"

    cases = [
        ("q", "gold", ""),
        ("q", "gold", "gold "),
        ("q", "gold", "same thing"),
        ("q", "gold", "other"),
        ("q", "gold", "maybe"),
        ("q", "gold", "broken"),
    ]
    found = {judged.index: judged for judged in JudgeScorer(ScriptedChat(script)).judge(cases)}
    assert [found[index].score for index in range(6)] == [0.0, 1.0, 1.0, 0.0, None, None]
    assert len(asked) == 4
    assert "neither yes nor no" in found[4].note
    assert "no route" in found[5].note
