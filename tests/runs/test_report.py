from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import matplotlib as mpl
import pytest

from burnish.errors import DataError, UsageError
from burnish.runs import Chart, Series, draw, write_report
from burnish.runs.report import number


class Page(HTMLParser):
    """Tags and text of a page; fails on a tag that closes nothing."""

    VOID = frozenset({"meta", "br", "link", "img", "hr", "input"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def chart(**changes):
    options = {
        "title": "Accuracy",
        "kind": "bar",
        "y_label": "accuracy (%)",
        "series": (
            Series(
                name="ours", x=("json", "xml"), y=(50.0, None), low=(40.0, None), high=(60.0, None)
            ),
            Series(name="theirs", x=("json", "yaml"), y=(45.0, 30.0)),
        ),
        "references": (("paper", 55.0),),
    }
    return Chart(**(options | changes))


@pytest.fixture(scope="module")
def home(tmp_path_factory, demo):
    folder = tmp_path_factory.mktemp("home")
    demo(folder / "first")
    demo(folder / "second", "rate=0.3", preset="cpu", seed=1)
    write_report([folder / "first", folder / "second"], folder / "out" / "r.html")
    return folder


@pytest.fixture(scope="module")
def page(home):
    return Page((home / "out" / "r.html").read_text(encoding="utf-8"))


def test_the_page_loads_nothing_from_anywhere(page):
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
        assert "src" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        if tag != "a":
            assert not attributes.get("href", "#").startswith(("http", "//", "data:", "javascript"))
    style = "".join(page.words)
    assert "@import" not in style
    assert not re.search(r"url\((?!#)", style)


def test_the_page_shows_what_the_folders_hold(page):
    for words in (
        "Demo-Eval", "An oracle loses less than one point.", "Doe 2024, section 4.1", "99.1",
        "240 questions", "not tested", "Beside the baselines", "by hand", "88.25", "accuracy (%)",
        "training step", "burnish run demo --preset cpu --seed 1 --set rate=0.3",
        "model_sha256", "memory_gb", "pydantic", "suite/questions.jsonl", "2 of them not scored",
        "Demo-Eval: runs side by side",
    ):  # fmt: skip
        assert words in page.text, words


def test_links_lead_somewhere(page, home):
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert {"#run-1", "#run-2"} <= set(links)
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors
        elif not link.startswith("https://"):
            assert (home / "out" / link).is_file()


def test_ids_are_unique_though_two_runs_draw_one_chart(page):
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_dark_mode_phone_and_print_are_thought_of(page):
    style = "".join(page.words)
    for rule in ("prefers-color-scheme: dark", "max-width: 560px", "@media print", "overflow-x"):
        assert rule in style
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in (
        page.tags
    )


HOSTILE = "</title><script>alert(1)</script><img src=http://evil.example/x>\"'&$x$"


def test_foreign_text_stays_text(tmp_path, demo):
    run = demo(tmp_path / "run")
    manifest = run.folder / "manifest.json"
    run.manifest.title = run.manifest.summary = run.manifest.paper = HOSTILE
    run.manifest.error = run.manifest.command = run.manifest.method = HOSTILE
    run.manifest.notes = {HOSTILE: HOSTILE}
    run.manifest.versions = {HOSTILE: HOSTILE}
    run.manifest.claims = [
        claim.model_copy(update={"statement": HOSTILE, "source": HOSTILE, "note": HOSTILE})
        for claim in run.manifest.claims
    ]
    manifest.write_text(run.manifest.model_dump_json())
    figure = run.folder / "artifacts" / "figures" / "chart-accuracy-by-language.json"
    text = figure.read_text().replace('"json"', '"</svg><script>x</script>"')
    figure.write_text(text.replace("Accuracy by language", "</svg><script>x</script>"))
    page = Page(write_report([run.folder], tmp_path / "r.html").read_text())
    assert not [tag for tag, _ in page.tags if tag in {"script", "img"}]
    assert "alert(1)" in page.text


@pytest.mark.parametrize("name", ["../../../etc/passwd", "a/b"])
def test_a_figure_cannot_point_out_of_the_folder(tmp_path, demo, name):
    run = demo(tmp_path / "run")
    run.manifest.figures = [name]
    (run.folder / "manifest.json").write_text(run.manifest.model_dump_json())
    with pytest.raises(DataError, match="not a file name"):
        write_report([run.folder], tmp_path / "r.html")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("manifest.json", "{", "manifest.json: not what burnish writes"),
        ("manifest.json", '{"method": "x"}', "manifest.json: not what burnish writes: preset"),
        ("artifacts/figures/table-reading-speed.json", "{}", None),
        ("artifacts/figures/table-reading-speed.json", "[]", "not what burnish writes"),
    ],
)
def test_broken_folders_are_named(tmp_path, demo, file, content, message):
    run = demo(tmp_path / "run")
    (run.folder / file).write_text(content)
    if message is None:
        write_report([run.folder], tmp_path / "r.html")
        return
    with pytest.raises(DataError, match=message):
        write_report([run.folder], tmp_path / "r.html")


def test_what_is_no_run_folder(tmp_path):
    with pytest.raises(DataError, match="is not a run folder"):
        write_report([tmp_path], tmp_path / "r.html")
    with pytest.raises(UsageError, match="at least one run folder"):
        write_report([], tmp_path / "r.html")


def test_unfinished_runs_are_shown_as_such(tmp_path, demo):
    with pytest.raises(Exception, match="tree"):
        demo(tmp_path / "run", "fail_at=tree")
    page = Page(write_report([tmp_path / "run"], tmp_path / "r.html").read_text())
    assert "failed" in page.text
    assert "would not read tree" in page.text


KINDS = {
    "bar": chart(),
    "lying bar": chart(
        series=(Series(x=tuple(f"a long category {n}" for n in range(6)), y=(1.0,) * 6),)
    ),
    "line": chart(kind="line", series=(Series(x=(0.0, 1.0, 2.0), y=(1.0, None, 4.0)),), y_log=True),
    "scatter": chart(kind="scatter", series=(Series(x=(1.0, 10.0), y=(1.0, 2.0)),), x_log=True),
    "empty": chart(series=(Series(x=(), y=()),)),
    "other script": chart(title="正確さ", y_label="割合 (%)"),
}


@pytest.mark.parametrize("drawn", KINDS.values(), ids=KINDS)
def test_charts_are_one_accessible_svg_and_the_same_bytes(drawn):
    svg = draw(drawn)
    assert svg == draw(drawn)
    root = ET.fromstring(svg)  # noqa: S314 - our own
    assert root.get("role") == "img"
    assert root[0].text == drawn.title
    words = " ".join(element.text or "" for element in root.iter() if "text" in element.tag)
    assert drawn.y_label in words
    assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"\\mathdefault|20\d\d-\d\d-\d\d", svg)


def test_long_names_stay_inside_the_picture():
    names = ("a rather long series name", "another rather long name", "the longest of them all")
    svg = draw(chart(series=tuple(Series(name=name, x=("a",), y=(1.0,)) for name in names)))
    legend = re.findall(r'<text[^>]* x="([\d.]+)"[^>]*>([^<]*)</text>', svg)
    ends = [float(x) + 7 * len(text) for x, text in legend if text in names]
    assert len(ends) == 3
    assert max(ends) <= 420


def test_charts_follow_the_page_and_ignore_the_users_style():
    plain = draw(chart())
    with mpl.rc_context({"axes.edgecolor": "red", "font.size": 30}):
        assert draw(chart()) == plain
    assert "currentColor" in plain
    assert "var(--series-1, #0072b2)" in plain
    assert "#000000" not in plain


def test_whiskers_span_the_interval():
    def bars(low, high):
        svg = draw(chart(series=(Series(x=("a",), y=(5.0,), low=(low,), high=(high,)),)))
        return re.sub(r"[0-9a-f]{8}-", "", svg)  # ids differ with the chart

    assert bars(4.0, 6.0) != bars(3.0, 6.0)
    assert bars(5.5, 6.0) == bars(5.0, 6.0)  # an interval always holds its estimate


def test_bars_that_share_no_category_take_its_whole_width():
    def widths(*series):
        found = re.findall(r'<path d="M ([\d.]+) [\d.]+ \nL ([\d.]+)', draw(chart(series=series)))
        return {round(float(right) - float(left)) for left, right in found}

    one = widths(Series(name="all", x=("a", "b"), y=(5.0, 3.0)))
    apart = (
        Series(name="odd", x=("a", "b"), y=(5.0, None)),
        Series(name="even", x=("a", "b"), y=(None, 3.0)),
    )
    beside = (apart[0], Series(name="even", x=("a", "b"), y=(2.0, 3.0)))
    assert one == widths(*apart) != widths(*beside)


def test_charts_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match="pair up"):
        Series(x=("a", "b"), y=(1.0,))
    with pytest.raises(UsageError, match="pair up"):
        Series(x=("a",), y=(1.0,), low=(0.5,))
    with pytest.raises(UsageError, match="needs numbers on x"):
        chart(kind="line")
    with pytest.raises(UsageError, match="no series"):
        chart(series=())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (True, "yes"), (0, "0"), (12, "12"), (12345, "12,345"), (0.123456, "0.1235"),
        (50.0, "50"), (123456.7, "123,457"), (1e-7, "1e-07"), ("a", "a"),
    ],
)  # fmt: skip
def test_numbers_read_well(value, text):
    assert number(value) == text
