"""Charts and tables of a run, from its points alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from burnish.evidence import Point, find, interval_of
from burnish.methods.socialsim.variants import (
    NO_RED,
    NONE,
    PLAIN_FACTS,
    PLAN,
    label_name,
    suspend_name,
)
from burnish.runs import Chart, Run, Series, Table
from burnish.runs.figures import Cell

_RANKER = "ranker-"
_OUTCOMES = (
    ("false_claim_reach_percent", "reach of false claims"),
    ("false_claim_reposts_count", "reposts of them"),
    ("sharers_count", "accounts sharing them"),
    ("true_views_count", "views of true stories"),
    ("true_reposts_count", "reposts of true stories"),
)
_FACTS = (
    ("in_degree_heavy_tail_rate", "in-degree: heavy tail (share of seeds)", "1"),
    ("cascade_size_heavy_tail_rate", "cascade size: heavy tail (share of seeds)", "1"),
    ("cascade_size_exponent_score", "exponent of cascade sizes from 10 on", "1.5 to 3"),
    ("unshared_posts_share", "share of posts never passed on", "0.80 to 0.97"),
    ("false_true_size_ratio", "size, false over true", "at least 1.3"),
    ("false_true_depth_ratio", "depth, false over true", "at least 1.3"),
    ("matched_depth_ratio", "depth at equal size, false over true", "0.9 to 1.12"),
)


def draw(run: Run) -> None:
    """Declare every chart and table that the run's points allow."""
    points = run.points()
    for chart in _charts(points):
        run.chart(chart)
    tables = (
        _measures(points),
        _collateral(points),
        _rankers(points),
        _facts(points),
        _detectors(points),
        _costs(points),
        _core(points),
    )
    for table in tables:
        if table.rows:
            run.table(table)


def _charts(points: Sequence[Point]) -> Iterator[Chart]:
    reach = [
        _curve(points, "reach_percent", name, label)
        for name, label in (
            (NO_RED, "no campaign"),
            (NONE, "campaign, no countermeasure"),
            (PLAN, "campaign, the scenario's own plan"),
            *((name, name.replace("_", " ")) for name in _plans(points)[:4]),
        )
    ]
    if any(reach):
        yield Chart(
            title="Reach of the false claims",
            kind="line",
            x_label="hour of the run",
            y_label="people reached (%)",
            series=tuple(curve for curve in reach if curve),
            note="Benign and vulnerable accounts that were shown a post for a false claim; mean "
            "of seeds. Synthetic.",
        )
    yield from _effects(points)
    yield from _delays(points)
    yield from _thresholds(points)
    yield from _sizes(points)
    yield from _scale(points)


def _effects(points: Sequence[Point]) -> Iterator[Chart]:
    for outcome, title in (
        ("false_claim_reach_percent", "Reach of false claims under each countermeasure"),
        ("false_claim_reposts_count", "Reposts of false claims under each countermeasure"),
        ("true_views_count", "Collateral: views of true stories under each countermeasure"),
    ):
        found = [
            point
            for point in find(points, "change_percent", outcome=outcome, against=NONE)
            if point.value is not None and point.tags["world"] in _plans(points)
        ]
        if found:
            yield _bars(found, title, "against no countermeasure (%)")


def _bars(found: Sequence[Point], title: str, y_label: str) -> Chart:
    bounds = [interval_of(point) for point in found]
    several = all(each is not None for each in bounds)
    return Chart(
        title=title,
        kind="bar",
        y_label=y_label,
        series=(
            Series(
                x=tuple(str(point.tags["world"]).replace("_", " ") for point in found),
                y=tuple(point.value for point in found),
                low=tuple(each[0] if each else None for each in bounds) if several else (),
                high=tuple(each[1] if each else None for each in bounds) if several else (),
            ),
        ),
        note=_seeds(found, several),
    )


def _seeds(found: Sequence[Point], several: bool) -> str:
    number = found[0].tags.get("n", 1)
    if not several:
        return f"{number} seed: no interval can be given."
    return f"Mean over {number} twins; lines: 95 % interval."


def _delays(points: Sequence[Point]) -> Iterator[Chart]:
    series = []
    for outcome, name in (
        ("false_claim_reposts_count", "reposts, whole life"),
        ("false_claim_reach_percent", "reach"),
        ("late_false_reposts_count", "reposts later than 15 h"),
    ):
        found = _numbered(points, "change_percent", label_name(0)[:-1], outcome=outcome)
        if len(found) > 1:
            series.append(_line(found, name))
    if series:
        yield Chart(
            title="How early must a label come?",
            kind="line",
            x_label="delay of the label (h)",
            y_label="against no label (%)",
            series=tuple(series),
            note="Lines: 95 % interval over twins.",
        )


def _thresholds(points: Sequence[Point]) -> Iterator[Chart]:
    stem = suspend_name(0)[:-1]
    people = _numbered(points, "people_suspended_percent", stem)
    assets = _numbered(points, "assets_restricted_percent", stem)
    if len(people) > 1:
        yield Chart(
            title="Suspension: what a lower threshold costs",
            kind="line",
            x_label="detector's score from which accounts are suspended",
            y_label="suspended (%)",
            series=(_line(people, "people (collateral)"), _line(assets, "the campaign's assets")),
            note="Suspension at the first review; lines: 95 % interval.",
        )


def _sizes(points: Sequence[Point]) -> Iterator[Chart]:
    series = []
    for kind in ("true", "false"):
        found = find(points, "cascades_at_least_share", world=PLAIN_FACTS, stories=kind) or find(
            points, "cascades_at_least_share", world=NO_RED, stories=kind
        )
        known = [point for point in found if point.value]
        if known:
            series.append(
                Series(
                    name=f"{kind} stories",
                    x=tuple(point.step for point in known),
                    y=tuple(point.value for point in known),
                )
            )
    if series:
        yield Chart(
            title="Cascade sizes without a campaign",
            kind="line",
            x_label="posts in the cascade",
            y_label="share of cascades at least that large",
            x_log=True,
            y_log=True,
            series=tuple(series),
            note="One seed. A straight line is a power law.",
        )


def _scale(points: Sequence[Point]) -> Iterator[Chart]:
    found = [point for point in find(points, "tick_ms") if point.value is not None]
    if len(found) > 1:
        yield Chart(
            title="Cost by size",
            kind="line",
            x_label="accounts",
            y_label="a simulated hour (ms)",
            x_log=True,
            y_log=True,
            series=(
                Series(
                    x=tuple(float(point.tags["agents"]) for point in found),
                    y=tuple(point.value for point in found),
                ),
            ),
            note="All tables written, building the graph aside.",
        )


def _plans(points: Sequence[Point]) -> list[str]:
    """Countermeasures that were run alone, sweeps over delays and thresholds aside."""
    names = dict.fromkeys(
        str(point.tags["world"])
        for point in find(points, "change_percent", against=NONE)
        if point.tags["world"] != PLAN
    )
    return [name for name in names if "-" not in name]


def _numbered(
    points: Sequence[Point], name: str, stem: str, **tags: str
) -> list[tuple[float, Point]]:
    found = [
        (float(str(point.tags["world"]).removeprefix(stem)), point)
        for point in find(points, name, **tags)
        if str(point.tags["world"]).startswith(stem) and point.value is not None
    ]
    return sorted(found, key=lambda pair: pair[0])


def _line(found: Sequence[tuple[float, Point]], name: str) -> Series:
    bounds = [interval_of(point) for _, point in found]
    several = all(each is not None for each in bounds)
    return Series(
        name=name,
        x=tuple(x for x, _ in found),
        y=tuple(point.value for _, point in found),
        low=tuple(each[0] if each else None for each in bounds) if several else (),
        high=tuple(each[1] if each else None for each in bounds) if several else (),
    )


def _curve(points: Sequence[Point], name: str, world: str, label: str) -> Series | None:
    found = find(points, name, world=world)
    if not found:
        return None
    return Series(
        name=label,
        x=tuple(point.step for point in found),
        y=tuple(point.value for point in found),
    )


def _is_filled(row: Sequence[Cell]) -> bool:
    """Whether anything was measured beside the row's name."""
    return any(cell not in (None, "") for cell in row[1:])


def _text(point: Point | None, digits: int = 1) -> str:
    """A value with its interval."""
    if point is None or point.value is None:
        return ""
    bounds = interval_of(point)
    value = f"{point.value:+.{digits}f}"
    return f"{value} [{bounds[0]:+.{digits}f}, {bounds[1]:+.{digits}f}]" if bounds else value


def _first(points: Sequence[Point], name: str, **tags: str | float) -> Point | None:
    return next(iter(find(points, name, **tags)), None)


def _value(points: Sequence[Point], name: str, **tags: str | float) -> float | None:
    point = _first(points, name, **tags)
    return None if point is None or point.value is None else round(point.value, 3)


def _measures(points: Sequence[Point]) -> Table:
    rows = []
    for world in (NONE, PLAN, *_worlds(points)):
        against = NO_RED if world == NONE else NONE
        own = [
            _text(_first(points, "change_percent", world=world, outcome=outcome, against=against))
            for outcome, _ in _OUTCOMES[:3]
        ]
        left = _first(points, "belief_shift_left_percent", world=world)
        ours = _first(points, "change_percent", world=world, outcome="sharers_count")
        rows.append(
            (
                "the campaign itself, against none" if world == NONE else _name(world),
                *own,
                _text(_first(points, "belief_shift_score", world=world), 4),
                _text(left),
                None if ours is None or ours.value is None else round(1 + ours.value / 100, 3),
                _value(points, "predicted_sharers_ratio", world=world, model="seiz"),
                _value(points, "predicted_sharers_ratio", world=world, model="cascade"),
            )
        )
    return Table(
        title="What each countermeasure does to the false claims",
        columns=(
            "world",
            *(f"{title} (%)" for _, title in _OUTCOMES[:3]),
            "shift of belief (of 2)",
            "shift left (%)",
            "sharers, ratio",
            "ratio by SEIZ",
            "ratio by cascade",
        ),
        rows=tuple(row for row in rows if _is_filled(row)),
        note="Changes against the twin without countermeasures, 95 % interval over twins; the "
        "campaign itself changes from nothing, so it has no percentages. SEIZ and the independent "
        "cascade know a measure by what it leaves of a contact, and nothing of feeds or beliefs.",
    )


def _collateral(points: Sequence[Point]) -> Table:
    rows = [
        (
            _name(world),
            _text(_first(points, "change_percent", world=world, outcome="true_views_count")),
            _text(_first(points, "change_percent", world=world, outcome="true_reposts_count")),
            _value(points, "people_suspended_percent", world=world),
            _value(points, "people_restricted_percent", world=world),
            _value(points, "assets_restricted_percent", world=world),
        )
        for world in (PLAN, *_worlds(points))
    ]
    return Table(
        title="Collateral",
        columns=(
            "world",
            "views of true stories (%)",
            "reposts of true stories (%)",
            "people suspended (%)",
            "people restricted (%)",
            "assets restricted (%)",
        ),
        rows=tuple(row for row in rows if _is_filled(row)),
        note="Negative changes of true stories are damage. Restricted: suspended, or an action "
        "stopped or held at least once.",
    )


def _rankers(points: Sequence[Point]) -> Table:
    worlds = dict.fromkeys(
        str(point.tags["world"])
        for point in find(points, "change_percent")
        if str(point.tags["world"]).startswith(_RANKER)
    )
    rows = [
        (
            "the scenario's own" if world == NONE else _name(world.removeprefix(_RANKER)),
            *(
                _text(_first(points, name, world=world), digits).replace("+", "")
                for name, digits in (
                    ("false_claim_reach_percent", 1),
                    ("false_claim_reposts_count", 0),
                    ("false_cascade_size_items", 1),
                    ("belief_shift_score", 4),
                    ("exposure_gini_score", 3),
                )
            ),
        )
        for world in ([NONE, *worlds] if worlds else [])
    ]
    return Table(
        title="The campaign under other rankers, without countermeasures",
        columns=(
            "ranker",
            "reach of false claims (%)",
            "reposts of them",
            "mean cascade (posts)",
            "shift of belief (of 2)",
            "Gini of views over authors",
        ),
        rows=tuple(rows),
        note="Which posts are shown may matter more than any countermeasure.",
    )


def _worlds(points: Sequence[Point]) -> list[str]:
    """Every world with one countermeasure."""
    found = dict.fromkeys(
        str(point.tags["world"])
        for point in find(points, "change_percent")
        if point.tags["world"] not in (PLAN, NONE)
    )
    return [name for name in found if not name.startswith(_RANKER)]


def _name(world: str) -> str:
    return "the scenario's own plan" if world == PLAN else world.replace("-", " ").replace("_", " ")


def _facts(points: Sequence[Point]) -> Table:
    world = PLAIN_FACTS if find(points, "unshared_posts_share", world=PLAIN_FACTS) else NO_RED
    rows = [
        (title, _text(_first(points, name, world=world), 2).replace("+", ""), wanted)
        for name, title, wanted in _FACTS
    ]
    return Table(
        title="Stylised facts, without a campaign",
        columns=("fact", "measured", "wanted"),
        rows=tuple(row for row in rows if row[1]),
        note="Passing shows that known shapes come out, not that people behave so.",
    )


def _detectors(points: Sequence[Point]) -> Table:
    rows = [
        (
            "swarming" if bots == "swarming" else "idle, without signatures",
            *(
                _value(points, f"detector_{name}_score", bots=bots)
                for name in ("precision", "recall", "f1", "auroc", "text_auroc")
            ),
        )
        for bots in ("swarming", "idle")
    ]
    return Table(
        title="Finding bots",
        columns=("bots", "precision", "recall", "F1", "AUROC", "AUROC of texts"),
        rows=tuple(row for row in rows if _is_filled(row)),
        note="Co-repost and timing features with logistic regression, 5 folds; 1 % bots.",
    )


def _costs(points: Sequence[Point]) -> Table:
    rows = [
        (
            int(point.tags["agents"]),
            _value(points, "build_seconds", agents=point.tags["agents"]),
            point.value and round(point.value, 2),
            _value(points, "exposures_per_second", agents=point.tags["agents"]),
            _value(points, "peak_memory_mb", agents=point.tags["agents"]),
            _value(points, "tables_mb", agents=point.tags["agents"]),
        )
        for point in find(points, "run_seconds")
    ]
    return Table(
        title="Cost of a run",
        columns=(
            "accounts",
            "graph (s)",
            "run (s)",
            "exposures per s",
            "peak memory (MB)",
            "tables (MB)",
        ),
        rows=tuple(rows),
    )


def _core(points: Sequence[Point]) -> Table:
    rows = [
        (title, _text(_first(points, name, **tags), digits).lstrip("+"))
        for title, name, digits, tags in (
            ("divergence of the calibrated rule (nats)", "js_divergence_nats", 5,
             {"model": "calibrated rule"}),
            ("divergence of the role alone (nats)", "js_divergence_nats", 5,
             {"model": "role alone"}),
            ("expected calibration error", "calibration_error_score", 4, {}),
            ("slope of log-odds to repost over agreement (nats)", "agreement_slope_nats", 4, {}),
            ("what a label changes in them (nats)", "label_effect_nats", 4, {}),
            ("cascade sizes, model against rule (KS)", "cascade_ks_score", 3, {}),
            ("sessions of core agents in the hybrid world", "hybrid_sessions_count", 0, {}),
            ("of which the model failed (%)", "hybrid_fallbacks_percent", 2, {}),
            ("seconds of the hybrid world", "hybrid_seconds", 0, {}),
        )
    ]  # fmt: skip
    return Table(
        title="Core agents",
        columns=("what", "measured"),
        rows=tuple(row for row in rows if row[1]),
        note="A slope near 0 says that the model hardly reads the post.",
    )
