"""Arms side by side: numbers as they are, zero on every scale, words as words."""

from __future__ import annotations

import re

import pytest

from burnish.errors import UsageError
from burnish.evidence import Interval
from burnish.methods.socialsim.comparison import Arm, Sweep, write_comparison
from burnish.methods.socialsim.twin_effects import Effect, effects
from burnish.runs import Chart, Series

NASTY = "<script>alert(1)</script>"


def effect(metric, low, middle, high, *, relative=True, seeds=12, missing=0):
    interval = Interval(middle, low, high)
    return Effect(metric, 80.0, 100.0, interval, interval if relative else None, seeds, missing)


def sweep(**given):
    arms = (
        Arm(name="label at 6 h", effects=(effect("reach", -30, -20, -10), effect("lost", 1, 2, 3))),
        Arm(name="down-rank", effects=(effect("reach", -9, 1, 11), effect("lost", 4, 5, 6))),
    )
    whole = {"title": "Label or down-rank?", "reference": "no countermeasure", "arms": arms}
    return Sweep(**(whole | {"collateral": frozenset({"lost"})} | given))


def page(folder, **given):
    return write_comparison(sweep(**given), folder / "page.html").read_text()


def test_every_arm_has_every_shared_metric_and_damage_comes_last(tmp_path):
    arms = (
        Arm(name="a", effects=(effect("lost", 1, 2, 3), effect("reach", -1, 0, 1))),
        Arm(name="b", effects=(effect("reach", -1, 0, 1), effect("lost", 1, 2, 3))),
        Arm(name="c", effects=(*sweep().arms[0].effects, effect("other", 1, 2, 3))),
    )
    found = page(tmp_path, arms=arms)
    assert sweep(arms=arms).metrics == ("lost", "reach")
    assert re.findall(r"<h2>(\w+)", found) == ["reach", "lost"]
    assert found.count("<tr><td>") == 6
    assert found.count("collateral</span>") == 1


def test_clear_effects_are_bold_and_others_are_not(tmp_path):
    found = page(tmp_path)
    assert "<b>-20 %</b>" in found
    assert "<td>+1 %</td>" in found
    few = Arm(name="few", effects=(effect("reach", -30, -20, -10, seeds=3, missing=2),))
    assert "<td>-20 %</td>" in (told := page(tmp_path, arms=(few,)))
    assert "3 (2 lost)" in told


def test_plots_share_a_scale_with_zero_on_it(tmp_path):
    block = page(tmp_path).split("<h2>reach")[1].split("</section>")[0]
    zeros = set(re.findall(r'<line x1="([\d.]+)" x2="\1" y1="0"', block))
    assert len(zeros) == 1
    dots = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', block)]
    zero = float(zeros.pop())
    assert dots[0] < zero < dots[1]
    assert all(0 <= dot <= 120 for dot in dots)


def test_a_reference_of_nothing_is_told_in_its_own_unit(tmp_path):
    arm = Arm(name="a", effects=(effect("reports", 1, 2, 3, relative=False),))
    assert "<b>+2</b>" in page(tmp_path, arms=(arm,))


def test_no_effect_at_all_can_be_drawn(tmp_path):
    arm = Arm(name="a", effects=(effect("reach", 0, 0, 0),))
    assert 'cx="5.0"' in page(tmp_path, arms=(arm,))


def test_a_world_that_failed_its_facts_is_stamped(tmp_path):
    assert "not held against stylised facts" in page(tmp_path)
    assert "this world meets its stylised facts" in page(tmp_path, unvalidated="")
    assert "unvalidated: the tail is too light" in page(
        tmp_path, unvalidated="the tail is too light"
    )


def test_words_stay_words_and_nothing_runs(tmp_path):
    chart = Chart(title=NASTY, kind="line", y_label="x", series=(Series(x=(1, 2), y=(1, 2)),))
    arm = Arm(name=NASTY, effects=(effect(NASTY, 1, 2, 3),), note=NASTY)
    found = page(tmp_path, title=NASTY, reference=NASTY, arms=(arm,), charts=(chart,))
    assert "<script" not in found
    assert "SYNTHETIC" in found
    assert "default-src 'none'" in found
    assert found.count("<svg") == 2


def test_effects_of_twins_fit_in(tmp_path):
    runs = [{"reach_accounts": 80.0 + seed} for seed in range(10)]
    twins = [{"reach_accounts": 100.0 + seed} for seed in range(10)]
    arm = Arm(name="label", effects=effects(runs, twins, seed=0))
    assert "reach accounts" in page(tmp_path, arms=(arm,))


def test_a_comparison_of_nothing_is_refused():
    with pytest.raises(UsageError, match="arms with a metric"):
        sweep(arms=())
    apart = tuple(Arm(name=name, effects=(effect(name, 1, 2, 3),)) for name in "ab")
    with pytest.raises(UsageError, match="all of them share"):
        sweep(arms=apart)


def test_a_page_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        page(tmp_path / "file")
