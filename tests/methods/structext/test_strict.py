import json
from xml.parsers.expat import ExpatError, ParserCreate

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from burnish.errors import UsageError
from burnish.methods.structext.draws import Draws
from burnish.methods.structext.generate import build
from burnish.methods.structext.languages.faults import JSON_FAULTS, XML_FAULTS, YAML_FAULTS
from burnish.methods.structext.strict import flaw


def refused(text: str, language: str) -> bool:
    try:
        if language == "json":
            json.loads(text)
        elif language == "yaml":
            yaml.safe_load(text)
        else:
            ParserCreate().Parse(text, True)
    except (ValueError, yaml.YAMLError, ExpatError):
        return True
    return False


@pytest.mark.parametrize("profile", ["official", "corrected"])
@pytest.mark.parametrize("rule", ["json.3", "yaml.3", "xml.3"])
def test_strict_parsers_agree_with_every_label(rule, profile):
    suite = build(rules=[rule], grid=[(1, 1), (1, 2), (2, 1)], n=150, seed=2, profile=profile)
    wrong = [s for s in suite if str(refused(s.text, s.language)) != s.answer]
    assert wrong == []
    faulty = sum(s.answer == "True" for s in suite) / len(suite)
    assert 0.4 < faulty < 0.6 if profile == "corrected" else faulty > 0.9


@pytest.mark.parametrize(
    ("language", "fault"),
    [
        (language, fault)
        for language, faults in (("json", JSON_FAULTS), ("xml", XML_FAULTS), ("yaml", YAML_FAULTS))
        for fault in faults
    ],
    ids=lambda part: getattr(part, "name", part),
)
def test_every_single_fault_anywhere_breaks_the_document(language, fault):
    for sample in build(rules=[f"{language}.2"], grid=[(1, 1), (2, 1)], n=3):
        places = list(fault.pattern.finditer(sample.text))
        assert places
        for place in places:
            replaced = place.expand(fault.replacement)
            broken = sample.text[: place.start()] + replaced + sample.text[place.end() :]
            assert refused(broken, language), broken
            assert flaw(broken, language)


def test_yaml_verdicts_agree_with_pyyaml_on_combined_faults():
    """Two faults can mend each other; what is left is judged as PyYAML judges it."""
    texts = [s.text for s in build(rules=["yaml.2"], grid=[(1, 1), (2, 1)], n=30)]
    draws = Draws(b"combined")
    judged = []
    for _ in range(3000):
        text = draws.pick(texts)
        for _ in range(3):
            fault = draws.pick(YAML_FAULTS)
            if places := list(fault.pattern.finditer(text)):
                place = draws.pick(places)
                replaced = place.expand(fault.replacement)
                text = text[: place.start()] + replaced + text[place.end() :]
        judged.append((bool(flaw(text, "yaml")), refused(text, "yaml")))
    assert {ours == theirs for ours, theirs in judged} == {True}


@given(st.text(alphabet="ab: -\n[]\"',", max_size=40))
def test_yaml_is_never_judged_wrongly(text):
    try:
        ours = bool(flaw(text, "yaml"))
    except UsageError:
        return
    assert ours == refused(text, "yaml")


@pytest.mark.parametrize(
    ("text", "language", "line"),
    [
        ('{\n"a":1,,\n}', "json", 2),
        ("<a>\n<b>\n</a>", "xml", 3),
        ('id: "x"\n :m', "yaml", 2),
        ("a: b\nc d\ne: f", "yaml", 2),
    ],
)
def test_flaws_name_their_line(text, language, line):
    found = flaw(text, language)
    assert found is not None
    assert found.line == line


def test_json_constants_are_not_json():
    assert flaw("[NaN]", "json") is not None


def test_other_languages_are_not_checked():
    with pytest.raises(UsageError, match="strict parsers read json, yaml, xml, not 'csv'"):
        flaw("a,b", "csv")


def test_yaml_beyond_the_subset_is_not_guessed_at():
    with pytest.raises(UsageError, match="line 2: '&anchor x' is YAML beyond"):
        flaw("a: b\nc: &anchor x", "yaml")
