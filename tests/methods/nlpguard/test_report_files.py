from __future__ import annotations

import json
from dataclasses import replace

import pytest

from burnish.evidence import Interval
from burnish.methods.nlpguard.annotation import CATEGORIES, hashed
from burnish.methods.nlpguard.auditing import Attribution, Sensitivity, word_reliance
from burnish.methods.nlpguard.ledger import DROPPED, Edit, Ledger
from burnish.methods.nlpguard.proxying import Proxy
from burnish.methods.nlpguard.report_files import (
    AuditReport,
    Side,
    as_html,
    as_markdown,
    write_report,
)
from burnish.methods.nlpguard.subgroups import subgroups

PROTECTED = {"actress": "sex", "widow": "sex"}


def side(top, share):
    rows = [Attribution(label, word, 2, 0.5) for label, words in top.items() for word in words]
    presence = [[True, False], [False, False], [True, True], [False, False]]
    return Side(
        reliance=word_reliance(top, rows, PROTECTED),
        performance={"accuracy": Interval(0.7, 0.65, 0.75), "macro_f1": Interval(0.6, 0.5, 0.7)},
        sensitivity=Sensitivity(Interval(share, 0.1, 0.3), None, 40, 50, {"stage": share}),
        subgroups=subgroups(
            [1, 0, 0, 1], [0.9, 0.2, 0.4, 0.8], presence, categories=("sex", "race")
        ),
        predictability={"sex": 0.8, "race": None},
    )


@pytest.fixture
def report():
    edits = [
        Edit(0, 3, 10, "actress", "", "actress", "sex", "word_removal"),
        Edit(4, 0, 30, "the actress|widow", "", "actress", "sex", "word_removal", DROPPED),
    ]
    return AuditReport(
        title="Occupations",
        settings={"top_n": 100, "annotator": "lexicon", "weights": None},
        before=side({"stage": ("actress", "film"), "music": ()}, 0.2),
        after=side({"stage": ("film", "stage", "widow"), "music": ()}, 0.1),
        difference={"accuracy": Interval(-0.015, -0.03, 0.001)},
        substitutes={"stage": ("widow",)},
        proxies=[Proxy("convent", "sex", 0.0123, 9, 1.0, 0.3, True)],
        rows=(10, 9),
        ledger=Ledger(10, "ab" * 32, edits),
        notes=("top lists are shorter than N in small classes",),
    )


def test_json_has_what_was_measured_and_the_reductions(report, tmp_path):
    files = write_report(report, tmp_path / "audit")
    found = json.loads(files.json.read_text())
    assert found["before"]["reliance"]["shares"]["stage"] == {
        "protected": 1,
        "listed": 2,
        "by_category": {"sex": 1},
        "value": 0.5,
    }
    assert found["before"]["reliance"]["shares"]["music"]["value"] is None
    assert found["relative_reduction"]["all classes"]["pa"] == pytest.approx(1 - (1 / 3) / (1 / 2))
    assert found["relative_reduction"]["music"] == {"pa": None, "mass": None}
    assert found["difference"]["accuracy"] == {"estimate": -0.015, "low": -0.03, "high": 0.001}
    assert found["substitutes"] == {"stage": ["widow"]}
    assert found["edits"]["by_category"] == {"sex": 2}
    assert (found["edits"]["touched"], found["edits"]["dropped"]) == (2, 1)
    assert found["rows"] == {"before": 10, "after": 9}


def test_markdown_shows_each_part_with_counts(report, tmp_path):
    text = write_report(report, tmp_path).markdown.read_text()
    for line in (
        "| stage | 50.0 % (1 of 2) | 50.0 % | 33.3 % (1 of 3) | 33.3 % | 33.3 % | 33.3 % |",
        "| music | no word speaks for it | – | no word speaks for it | – | – | – |",
        "| accuracy | 70.0 % (65.0 to 75.0) | 70.0 % (65.0 to 75.0) | -1.5 points (-3.0 to +0.1) |",
        "| flip rate | 20.0 % (10.0 to 30.0) | 10.0 % (10.0 to 30.0) |  |",
        "| 1 | actress (sex) | film |",
        "| stage | 1 | widow |",
        "| convent | sex | 12.30 | 100.0 % of 9 | 30.0 % | yes |",
        "2 edits in 2 of 10 rows; 1 rows dropped. The first:",
        "> top lists are shorter than N in small classes",
    ):
        assert line in text, line


def test_the_same_report_gives_the_same_bytes(report, tmp_path):
    one, other = write_report(report, tmp_path / "a"), write_report(report, tmp_path / "b")
    assert one.json.read_bytes() == other.json.read_bytes()
    assert one.markdown.read_bytes() == other.markdown.read_bytes()


def test_hidden_words_are_hashes_everywhere(report, tmp_path):
    files = write_report(report, tmp_path, hidden=True)
    for path in files:
        text = path.read_text()
        assert hashed("actress") in text
        assert not [word for word in ("actress", "widow", "convent", "film") if word in text]


def test_an_audit_of_one_classifier_has_no_after(report, tmp_path):
    alone = AuditReport(title="Now", settings={}, before=report.before)
    files = write_report(alone, tmp_path)
    found = json.loads(files.json.read_text())
    assert "after" not in found
    assert found["relative_reduction"] == {}
    text = files.markdown.read_text()
    assert "| stage | 50.0 % (1 of 2) | 50.0 % |" in text
    assert "Substitutes" not in text
    assert "Edits" not in text


def test_words_cannot_break_the_tables(report):
    evil = "a|b <script> [x](y)\n# z"
    edits = [Edit(0, 0, 3, evil, evil, evil, "sex", "word_removal")]
    text = as_markdown(replace(report, ledger=Ledger(1, "", edits)))
    row = next(line for line in text.splitlines() if "script" in line)
    assert r"a\|b &lt;script&gt; \[x\](y) \# z" in row
    assert row.count(" | ") == 6


def test_the_page_colours_words_by_category_and_loads_nothing(report, tmp_path):
    page = write_report(report, tmp_path).html.read_text()
    place = CATEGORIES.index("sex")
    assert f'<span class="word k{place}" title="sex">actress</span>' in page
    assert '<span class="word">film</span>' in page
    for category in CATEGORIES:
        assert f">{category}</span>" in page
    assert "50.0 % (1 of 2)" in page
    assert "2 edits in 2 of 10 rows" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page
    assert "does not prove that it is fair" in page


def test_a_list_that_is_cut_says_so(report):
    words = tuple(f"word{n}" for n in range(30))
    attributions = [Attribution("film", word, 2, 0.5) for word in words]
    side = replace(report.before, reliance=word_reliance({"film": words}, attributions, {}))
    page = as_html(replace(report, before=side, after=None))
    assert "best first, 20 of 30:" in page
    assert ">word19<" in page
    assert ">word20<" not in page


def test_words_cannot_break_the_page(report):
    evil = '"><script>alert(1)</script>'
    edits = [Edit(0, 0, 3, evil, evil, evil, "sex", "word_removal")]
    side = replace(
        report.before,
        reliance=word_reliance({evil: (evil,)}, [Attribution(evil, evil, 2, 0.5)], {evil: "sex"}),
    )
    broken = replace(
        report, before=side, after=None, title=evil, notes=(evil,), ledger=Ledger(1, "", edits)
    )
    page = as_html(broken)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 6


def test_a_number_that_is_none_is_refused(report, tmp_path):
    broken = replace(report, difference={"accuracy": Interval(float("nan"), 0, 0)})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_report(broken, tmp_path)
