"""Every claim's three verdicts, from points made by hand."""

from __future__ import annotations

import pytest

from burnish.evidence import Point
from burnish.methods.nlpguard.claims import CLAIMS

CHECKS = {claim.id: claim.check for claim in CLAIMS}


def at(name, value, **tags):
    return Point(0, name, value, tags)


def five(name, value, kind, mitigation="word_removal", n=5):
    return at(name, value, kind=kind, mitigation=mitigation, n=n)


def reduction(value, kind="minilm", mitigation="word_removal", n=5):
    return five("reduction_percent", value, kind, mitigation, n)


def both(value):
    return reduction(value, mitigation="word_removal_both")


def change(value, kind="minilm", mitigation="word_removal", n=5):
    return five("accuracy_change_points", value, kind, mitigation, n)


def table(off):
    """The reference measurements, F1 without a repair that far off."""
    names = ("accuracy_percent", "macro_f1_percent", "pa_percent", "mass_percent")
    rows = {
        "none": (71.8, 68.2 - off, 20.5, 35.5),
        "document_removal": (38.4, 23.3, 4.7, 2.2),
        "word_removal": (70.3, 67.1, 1.1, 1.7),
        "mask": (62.3, 59.6, 1.3, 1.8),
    }
    return [
        five(name, value, "linear", mitigation)
        for mitigation, values in rows.items()
        for name, value in zip(names, values, strict=True)
    ]


def losses(document, removal, refused):
    names = ("word_removal", "mask", "cda")
    return [
        five("lost_rows_percent", document, "linear", "document_removal", n=1),
        *(five("lost_rows_percent", removal, "linear", name, n=1) for name in names),
        at("refused_share", refused, kind="linear", mitigation="document_removal"),
    ]


def planted(kind, rank, before, after):
    return [
        at("planted_rank", rank, kind=kind, moment="before"),
        at("planted_mass_percent", before, kind=kind, moment="before"),
        at("planted_mass_percent", after, kind=kind, moment="after"),
    ]


def counts(explained, incomplete):
    return [
        five("explained_count", explained, "minilm"),
        five("incomplete_count", incomplete, "minilm"),
    ]


def variants(removal, kept, kind="minilm"):
    return [
        reduction(removal, kind),
        reduction(kept, kind, mitigation="word_variants_kept", n=1),
    ]


def faster(value, kind, over):
    return at("speedup_ratio", value, kind=kind, over=over)


def probe(value):
    tags = {"kind": "minilm", "category": "sex"}
    return [
        at("probe_gain_points", value, mitigation="leace", **tags),
        at("probe_gain_points", 20.0, mitigation="none", **tags),
    ]


CASES = {
    "up-to-79": ([reduction(85.0)], [reduction(60.0), reduction(99.0, mitigation="unawareness")], [
        reduction(90.0, n=1), reduction(85.0, "linear")]),
    "up-to-79-linear": (
        [reduction(85.0, "linear")], [reduction(60.0, "linear")], [reduction(85.0)]),
    "slightly-better": ([change(0.4)], [change(-0.4)], [change(0.4, n=2)]),
    "leans": (
        [five("pa_percent", 9.0, "minilm", "none")], [five("pa_percent", 7.0, "minilm", "none")],
        [five("pa_percent", 9.0, "minilm", "none", n=4)]),
    "halved": ([reduction(50.0)], [reduction(49.0)], [reduction(90.0, "linear")]),
    "accuracy-kept": ([change(-2.0)], [change(-2.1)], [change(0.0, n=1)]),
    "halved-both": ([both(50.0)], [both(49.0)], [reduction(90.0)]),
    "accuracy-kept-both": (
        [change(-2.0, mitigation="word_removal_both")],
        [change(-2.1, mitigation="word_removal_both")], [change(0.0)]),
    "linear-table": (table(0.0), table(5.1), table(0.0)[1:]),
    "linear-seconds": (
        [at("pipeline_seconds", 20.0, kind="linear")],
        [at("pipeline_seconds", 20.1, kind="linear")],
        [at("pipeline_seconds", 1.0, kind="minilm")]),
    "encoder-seconds": (
        [at("pipeline_seconds", 900.0, kind="minilm")],
        [at("pipeline_seconds", 901.0, kind="minilm")],
        [at("pipeline_seconds", 1.0, kind="linear")]),
    "memory": (
        [at("peak_memory_mb", 3000.0, kind="linear")],
        [at("peak_memory_mb", 1.0, kind="linear"), at("peak_memory_mb", 3001.0, kind="minilm")],
        [at("peak_memory_mb", None, kind="linear")]),
    "linear-halved": ([reduction(95.0, "linear")], [reduction(85.0, "linear")], [reduction(95.0)]),
    "linear-kept": ([change(-1.5, "linear")], [change(-3.0, "linear")], [change(-1.5)]),
    "removal-over-variants": (variants(80.0, 30.0), variants(30.0, 80.0), [reduction(80.0)]),
    "removal-over-variants-linear": (
        variants(80.0, 30.0, "linear"), variants(30.0, 80.0, "linear"), variants(80.0, 30.0)),
    "documents-lost": (losses(80.0, 0.0, 1), losses(80.0, 0.0, 0), losses(80.0, 0.0, 1)[1:]),
    "leace-probe": (probe(1.9), probe(2.1), []),
    "complete": (counts(100, 5), counts(100, 6), []),
    "as-captum": (
        [at("captum_difference_ratio", 1e-6, kind="minilm")],
        [at("captum_difference_ratio", 1e-3, kind="minilm")], []),
    "twice-captum": (
        [faster(2.0, "minilm", "captum")], [faster(1.9, "minilm", "captum")],
        [faster(9.0, "minilm", "one text and step at a time")]),
    "five-times": (
        [faster(5.0, "minilm", "one text and step at a time")],
        [faster(4.9, "minilm", "one text and step at a time")], [faster(9.0, "minilm", "captum")]),
    "linear-ten-times": (
        [faster(10.0, "linear", "one text at a time")],
        [faster(9.9, "linear", "one text at a time")], []),
    "planted-first-linear": (
        planted("linear", 1, 30.0, 0.0), planted("linear", 2, 30.0, 0.0),
        planted("minilm", 1, 30.0, 0.0)),
    "planted-gone-linear": (
        planted("linear", 2, 30.0, 0.0), planted("linear", 1, 30.0, 0.1),
        planted("linear", 1, 0.0, 0.0)),
    "planted-first-encoder": (
        planted("minilm", 1, 30.0, 9.0), planted("minilm", 0, 30.0, 0.0),
        planted("linear", 1, 30.0, 0.0)),
    "planted-gone-encoder": (
        planted("minilm", 2, 30.0, 3.0), planted("minilm", 1, 30.0, 3.1),
        planted("minilm", 1, 0.0, 0.0)),
    "parsed": ([at("llm_parsed_percent", 100.0)], [at("llm_parsed_percent", 99.0)], []),
    "ledger": (
        [five("replayed_share", 1, "linear")],
        [five("replayed_share", 1, "linear"), five("replayed_share", 0.5, "minilm")], []),
}  # fmt: skip


def test_every_claim_has_cases():
    assert CASES.keys() == CHECKS.keys()
    assert len(CLAIMS) == len(CHECKS)


@pytest.mark.parametrize("name", CASES)
def test_points_decide(name):
    holds, fails, lacking = CASES[name]
    assert CHECKS[name](holds).status == "holds"
    assert CHECKS[name](fails).status == "fails"
    for points in (lacking, []):
        verdict = CHECKS[name](points)
        assert verdict.status == "not_tested"
        assert verdict.note.endswith("burnish run nlpguard --preset cpu")


def test_the_best_reduction_is_named():
    verdict = CHECKS["up-to-79"]([reduction(60.0), reduction(85.0, mitigation="hypernym")])
    assert (verdict.measured, verdict.note) == (85.0, "by hypernym")


def test_cells_that_are_off_are_named():
    verdict = CHECKS["linear-table"](table(6.0))
    assert verdict.measured == 1
    assert "of 16 cells" in verdict.note
    assert "off: macro_f1_percent of none by -6.0" in verdict.note


def test_how_often_was_trained_is_told():
    note = CHECKS["removal-over-variants"](variants(80.0, 30.0)).note
    assert note == "80.0 % in 5 trainings against 30.0 % in 1"


def test_a_gain_within_its_interval_is_told():
    tags = {"kind": "minilm", "mitigation": "word_removal", "n": 5, "low": -1.0, "high": 2.0}
    verdict = CHECKS["slightly-better"]([at("accuracy_change_points", 0.5, **tags)])
    assert (verdict.status, verdict.interval) == ("holds", (-1.0, 2.0))
    assert verdict.note == "the interval holds 0"


def test_documents_must_lose_most_of_each_kind():
    more = five("lost_rows_percent", 90.0, "linear", "hypernym", n=1)
    assert CHECKS["documents-lost"]([*losses(80.0, 0.0, 1), more]).status == "fails"
