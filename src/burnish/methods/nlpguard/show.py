"""Charts and tables of a run, from its points alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from burnish.evidence import Point, find, interval_of
from burnish.methods.nlpguard.arms import HEADLINES, NONE
from burnish.runs import Chart, Run, Series, Table

_KINDS = {"linear": "linear model", "minilm": "encoder"}
_SHOWN = 15  # words of a list
_DRAWN = 8  # of a class
_FAMILIES = {
    NONE: "as it was",
    "word_removal": "word removal",
    "word_removal_both": "word removal, both",
    "unawareness": "unawareness",
    "reweighing": "weights, vectors",
    "inlp": "weights, vectors",
    "leace": "weights, vectors",
    "explanation_regularisation": "weights, vectors",
}
_MOMENTS = {NONE: "as it was", "word_removal": "after word removal"}


def draw(run: Run) -> None:
    """Declare every chart and table that the run's points allow."""
    points = run.points()
    for chart in _charts(points):
        run.chart(chart)
    tables = [_mitigations(points, kind) for kind in _KINDS]
    tables += [_words(points, kind) for kind in _KINDS]
    tables += [_substitutes(points), _proxies(points), _ledger(points), _probes(points)]
    tables += [_few_words(points), _checks(points)]
    for table in tables:
        if table.rows:
            run.table(table)


def _charts(points: Sequence[Point]) -> Iterator[Chart]:
    categories = sorted({str(p.tags["category"]) for p in find(points, "top_word_rank")})
    for kind, title in _KINDS.items():
        scatter = _scatter(points, kind)
        if scatter:
            yield Chart(
                title=f"Reliance of the {title} against accuracy",
                kind="scatter",
                x_label="protected among the most predictive words (%)",
                y_label="accuracy on unedited test texts (%)",
                series=scatter,
                note="A dot a repair, each in the table below; upper left is better.",
            )
        found = [
            point for point in find(points, "pa_percent", kind=kind) if point.value is not None
        ]
        if found:
            yield _bars(found, f"Protected words that drive the {title}", "of the top words (%)")
        flips = [
            point for point in find(points, "flip_percent", kind=kind) if point.value is not None
        ]
        if flips:
            yield _bars(
                flips, f"Answers of the {title} that flip", "of texts with a word swapped (%)"
            )
        for mitigation, moment in _MOMENTS.items():
            listed = find(points, "top_word_rank", kind=kind, mitigation=mitigation)
            if listed:
                yield _coloured(listed, f"Words that drive the {title}, {moment}", categories)


def _coloured(listed: Sequence[Point], title: str, categories: Sequence[str]) -> Chart:
    """The first words of each class as bars, a colour for each category, in every chart its own."""
    shown = [point for point in listed if float(point.value or 0) <= _DRAWN]
    bars = tuple(f"{point.tags['word']} · {point.tags['label']}" for point in shown)
    return Chart(
        title=title,
        kind="bar",
        y_label="mean share of a text's attribution",
        series=tuple(
            Series(
                name=name or "not protected",
                x=bars,
                y=tuple(
                    float(point.tags["attribution"]) if point.tags["category"] == name else None
                    for point in shown
                ),
            )
            for name in categories
        ),
        note=f"The first {_DRAWN} words of each class, one training.",
    )


def _bars(found: Sequence[Point], title: str, y_label: str) -> Chart:
    bounds = [interval_of(point) for point in found]
    several = any(bounds)
    return Chart(
        title=title,
        kind="bar",
        y_label=y_label,
        series=(
            Series(
                x=tuple(_name(point.tags["mitigation"]) for point in found),
                y=tuple(point.value for point in found),
                low=tuple(each[0] if each else None for each in bounds) if several else (),
                high=tuple(each[1] if each else None for each in bounds) if several else (),
            ),
        ),
        note="Mean over trainings; lines: 95 % interval where there were several."
        if several
        else "One training.",
    )


def _scatter(points: Sequence[Point], kind: str) -> tuple[Series, ...]:
    """Repairs as dots, those of one family in one colour."""
    families: dict[str, list[tuple[float, float]]] = {}
    for point in find(points, "pa_percent", kind=kind):
        mitigation = str(point.tags["mitigation"])
        accuracy = _first(points, "accuracy_percent", kind=kind, mitigation=mitigation)
        if point.value is not None and accuracy is not None and accuracy.value is not None:
            name = _FAMILIES.get(mitigation, "other edits")
            families.setdefault(name, []).append((point.value, accuracy.value))
    return tuple(
        Series(name=name, x=tuple(x for x, _ in dots), y=tuple(y for _, y in dots))
        for name, dots in families.items()
    )


def _name(mitigation: object) -> str:
    return str(mitigation).replace("_", " ")


def _first(points: Sequence[Point], name: str, **tags: str) -> Point | None:
    return next(iter(find(points, name, **tags)), None)


def _text(point: Point | None, digits: int = 1) -> str:
    if point is None or point.value is None:
        return ""
    bounds = interval_of(point)
    value = f"{point.value:.{digits}f}"
    return f"{value} [{bounds[0]:.{digits}f}, {bounds[1]:.{digits}f}]" if bounds else value


def _mitigations(points: Sequence[Point], kind: str) -> Table:
    rows = []
    for point in find(points, "pa_percent", kind=kind):
        tags = {"kind": kind, "mitigation": str(point.tags["mitigation"])}
        change = _first(points, "accuracy_change_points", **tags)
        reduction = _first(points, "reduction_percent", **tags)
        rows.append(
            (
                _name(tags["mitigation"]),
                int(point.tags["n"]),
                _text(_first(points, "accuracy_percent", **tags)),
                _text(change),
                _text(_first(points, "macro_f1_percent", **tags)),
                _text(point),
                _text(reduction),
                _text(_first(points, "mass_percent", **tags)),
                _text(_first(points, "flip_percent", **tags)),
                _text(_first(points, "fairness_gap_percent", **tags)),
                _text(_first(points, "training_rows_items", **tags), 0),
                _text(_first(points, "reduction_per_point_ratio", **tags), 0),
                _text(_first(points, "training_seconds", **tags)),
            )
        )
    return Table(
        title=f"Repairs of the {_KINDS[kind]}",
        columns=(
            "repair",
            "trainings",
            "accuracy (%)",
            "change (points)",
            "macro F1 (%)",
            "PA@N (%)",
            "R (%)",
            "mass (%)",
            "flips (%)",
            "gap (points)",
            "rows",
            "R per point lost",
            "training (s)",
        ),
        rows=tuple(rows),
        note="PA@N: protected words among the N most predictive of each class, identified anew "
        "after the repair. R: its relative reduction. Mass: of positive attribution, the part on "
        "protected words. Flips and gap: protected words swapped for others of their kind. R per "
        "point lost: nothing where accuracy rose. "
        "Intervals: 95 %, paired bootstrap over test texts and trainings.",
    )


def _words(points: Sequence[Point], kind: str) -> Table:
    """The first words of each class before and after, protected ones with their category."""
    lists: dict[tuple[str, str], list[str]] = {}
    for point in find(points, "top_word_rank", kind=kind):
        category = str(point.tags["category"])
        word = str(point.tags["word"])
        lists.setdefault((str(point.tags["label"]), str(point.tags["mitigation"])), []).append(
            f"{word} [{category}]" if category else word
        )
    labels = dict.fromkeys(label for label, _ in lists)
    rows = [
        (
            label,
            ", ".join(lists.get((label, NONE), [])[:_SHOWN]),
            ", ".join(lists.get((label, "word_removal"), [])[:_SHOWN]),
        )
        for label in labels
    ]
    return Table(
        title=f"Words that drive the {_KINDS[kind]}",
        columns=("class", "as it was", "after word removal"),
        rows=tuple(rows),
        note="Most predictive first, one training; protected words carry their category.",
    )


def _substitutes(points: Sequence[Point]) -> Table:
    rows = [
        (_KINDS[str(point.tags["kind"])], str(point.tags["label"]), str(point.tags["word"]))
        for point in find(points, "substitute_rank")
    ]
    return Table(
        title="Substitutes: protected words that came up after word removal",
        columns=("classifier", "class", "word"),
        rows=tuple(rows),
        note="They were not among the words that the rows were edited for.",
    )


def _proxies(points: Sequence[Point]) -> Table:
    rows = [
        (
            str(point.tags["category"]),
            str(point.tags["word"]),
            None if point.value is None else round(point.value, 4),
            float(point.tags["share"]),
            float(point.tags["base"]),
        )
        for point in find(points, "proxy_information_nats", mitigation="word_removal")
    ]
    return Table(
        title="Proxies: what is left in the edited rows and still tells of a category",
        columns=("category", "word", "information (nats)", "share with it", "share overall"),
        rows=tuple(dict.fromkeys(rows)),
        note="Significant at a false discovery rate of 5 %.",
    )


def _ledger(points: Sequence[Point]) -> Table:
    rows = [
        (
            _KINDS[str(point.tags["kind"])],
            int(point.tags["row"]),
            int(point.tags["start"]),
            int(point.tags["end"]),
            str(point.tags["old"]),
            str(point.tags["new"]),
            str(point.tags["category"]),
        )
        for point in find(points, "ledger_rank")
    ]
    return Table(
        title="Ledger of word removal: its first edits",
        columns=("classifier", "row", "start", "end", "old", "new", "category"),
        rows=tuple(rows),
        note="Row of the training texts, and characters in it, from 0.",
    )


def _few_words(points: Sequence[Point]) -> Table:
    """PA@N of shorter lists."""
    counts = sorted(
        {str(point.tags["top"]) for point in find(points, "pa_of_fewer_percent")}, key=int
    )
    rows = []
    for point in find(points, "pa_percent"):
        tags = {"kind": str(point.tags["kind"]), "mitigation": str(point.tags["mitigation"])}
        if tags["mitigation"] not in (NONE, *HEADLINES):
            continue
        shorter = [
            _text(_first(points, "pa_of_fewer_percent", **tags, top=count)) for count in counts
        ]
        listed = _text(_first(points, "listed_words", **tags), 0)
        rows.append(
            (_KINDS[tags["kind"]], _name(tags["mitigation"]), *shorter, _text(point), listed)
        )
    columns = (
        "classifier",
        "repair",
        *(f"N = {count} (%)" for count in counts),
        "N of the run (%)",
    )
    return Table(
        title="PA@N of shorter lists",
        columns=(*columns, "words listed"),
        rows=tuple(rows) if counts else (),
        note="Where a class has fewer than N words that speak for it, all of them are listed, and "
        "PA@N is no longer about the first. All words: protected ones among all that could be "
        "listed.",
    )


def _probes(points: Sequence[Point]) -> Table:
    rows = [
        (
            _name(point.tags["mitigation"]),
            str(point.tags["category"]),
            _text(
                _first(
                    points, "probe_accuracy_percent",
                    mitigation=str(point.tags["mitigation"]), category=str(point.tags["category"]),
                )
            ),
            _text(point),
        )
        for point in find(points, "probe_gain_points")
        if point.tags["mitigation"] in (NONE, "word_removal", "inlp", "leace")
    ]  # fmt: skip
    return Table(
        title="Linear probes on the encoder's vectors",
        columns=("repair", "category", "accuracy (%)", "beyond the majority (points)"),
        rows=tuple(rows),
    )


def _checks(points: Sequence[Point]) -> Table:
    rows: list[tuple[str, str]] = []
    for point in find(points, "planted_rank"):
        kind, moment = str(point.tags["kind"]), str(point.tags["moment"])
        mass = _first(points, "planted_mass_percent", kind=kind, moment=moment)
        place = f"rank {point.value:.0f}" if point.value else "not ranked"
        rows.append(
            (f"planted word, {_KINDS[kind]}, {moment} removal", f"{place}, mass {_text(mass, 2)} %")
        )
    troubles = {
        "untrained_count": "times too few rows or classes were left to train on",
        "unpredicted_count": "times a class was predicted of no text, so that its list is empty",
    }
    rows += [
        (
            f"{_name(point.tags['mitigation'])}, {_KINDS[str(point.tags['kind'])]}",
            f"{point.value:.0f} {trouble}",
        )
        for name, trouble in troubles.items()
        for point in find(points, name)
        if point.value
    ]
    shares = find(points, "guard_pa_percent")
    for point in shares:
        accuracy = next(p for p in find(points, "guard_accuracy_percent") if p.step == point.step)
        rows.append(
            (f"iterative guard, round {point.step}",
             f"PA@N {_text(point)} %, accuracy {_text(accuracy)} %")
        )  # fmt: skip
    rows += [
        (f"kappa of language model and lexicon, {point.tags['between']}", _text(point, 3))
        for point in find(points, "llm_kappa_score")
    ]
    return Table(
        title="Checks of the method itself",
        columns=("check", "measured"),
        rows=tuple(rows),
    )
