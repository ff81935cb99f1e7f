"""Scenario files: what a good one becomes, and one line for each bad one."""

from __future__ import annotations

import pytest
import yaml

from burnish.errors import BurnishError, ConfigError, DataError
from burnish.methods.socialsim.name_gate import NameGate, RealName
from burnish.methods.socialsim.scenario import CyclicSchedule, Scenario, names
from burnish.methods.socialsim.schema import Role, Side
from burnish.methods.socialsim.techniques import UnknownTechnique
from burnish.methods.socialsim.world import BlueKind, NetworkKind, Primitive

SMALL = """
burnish_scenario: 1
name: Small
hours: 48
world: {name: Tarn, regions: [North, South], topics: [harbour, council]}
claims:
  - {code: C1, about: The bridge is closed., is_true: false, topic: council}
  - {code: C2, about: The bridge is open., is_true: true, topic: council}
events:
  - {name: notice, start: 4, hours: 6, topic: council, claim: C2, stance: 0.5}
red:
  - {name: seed, technique: T0042, after: notice, start: 1, hours: 5, claim: C1}
  - name: swarm
    technique: T0049.005
    after: seed
    hours: 100
    claim: C1
    targets: {roles: [vulnerable], ideology: [-0.5, 0.5]}
blue:
  - {name: label, measure: C00142, after: notice, delay: 6, claims: [C1]}
  - {name: early, measure: prebunk, hours: 10, fraction: 0.3}
"""


def changed(**changes):
    """The small scenario with fields replaced: `red__0__technique="T1"`; None removes one."""
    document = yaml.safe_load(SMALL)
    for path, value in changes.items():
        *parts, last = [int(part) if part.isdigit() else part for part in path.split("__")]
        place = document
        for part in parts:
            place = place[part]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return yaml.safe_dump(document)


def test_a_small_scenario_becomes_a_world():
    scenario = Scenario.from_text(SMALL)
    world = scenario.world
    assert (scenario.ticks, world.topics, world.population.regions) == (48, 2, 2)
    assert scenario.about[0] == "The bridge is closed."
    assert [claim.true for claim in world.claims] == [False, True]
    assert (world.events[0].tick, world.events[0].claim, world.events[0].topic) == (4, 1, 1)
    seed, swarm = world.red
    assert seed.primitive is Primitive.STANCE_RAMP
    assert seed.parameters == {"start_stance": 0.0, "end_stance": 0.4}
    assert swarm.targets.roles == (int(Role.VULNERABLE),)
    assert swarm.targets.ideology == (-0.5, 0.5)
    label, early = world.blue
    assert (label.kind, label.delay, label.claims, label.end) == (BlueKind.LABEL, 6, (0,), None)
    assert (early.fraction, early.start, early.end) == (0.3, 0, 10)


@pytest.mark.parametrize(
    ("code", "written", "field", "value"),
    [
        ("T0072.001", {"regions": ["South"]}, "regions", (1,)),
        ("T0072.002", {"ages": [0, 1]}, "ages", (0, 1)),
        ("T0072.002", {"education": [0]}, "education", (0,)),
        ("T0072.003", {"education": [0, 1]}, "education", (0, 1)),
        ("T0072.004", {"big_five": {"neuroticism": [30, 100]}}, "big_five",
         {"neuroticism": (30, 100)}),
        ("T0072.004", {"min_susceptibility": 0.6}, "min_susceptibility", 0.6),
        ("T0072.005", {"ideology": [0.3, 1]}, "ideology", (0.3, 1)),
    ],
)  # fmt: skip
def test_audiences_are_segmented_by_their_trait(code, written, field, value):
    text = changed(red__1__technique=code, red__1__targets=written)
    step = Scenario.from_text(text).world.red[1]
    assert (step.technique, step.primitive) == (code, Primitive.SELECT_TARGETS)
    assert getattr(step.targets, field) == value


def test_after_counts_from_the_end_of_the_other_step_and_runs_end_all():
    spans = {line.name: (line.start, line.end) for line in Scenario.from_text(SMALL).schedule}
    assert spans == {
        "notice": (4, 10),
        "seed": (11, 16),
        "swarm": (16, 48),
        "label": (10, 48),
        "early": (0, 10),
    }


def test_the_twin_has_no_campaign_and_the_same_rest():
    scenario = Scenario.from_text(SMALL)
    twin = scenario.without_red()
    assert twin.world.red == ()
    assert twin.world.blue == scenario.world.blue  # already placed, though it waited for nobody
    assert {line.side for line in twin.schedule} == {Side.SCENARIO, Side.BLUE}
    assert scenario.without_blue().world.blue == ()


@pytest.mark.parametrize("name", names())
def test_the_scenarios_that_come_along_are_whole(name):
    scenario = Scenario.from_yaml(name)
    assert scenario.world.red
    assert scenario.world.blue
    assert any(claim.true for claim in scenario.world.claims)
    assert not all(claim.true for claim in scenario.world.claims)


def test_two_scenarios_come_along_and_use_most_primitives():
    assert len(names()) == 2
    used = {step.primitive for name in names() for step in Scenario.from_yaml(name).world.red}
    assert len(used) >= 12


def test_a_file_is_read_and_named_in_errors(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(SMALL, encoding="utf-8")
    assert Scenario.from_yaml(path) == Scenario.from_text(SMALL)
    path.write_text(changed(hours=0), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.yaml: hours should be greater than or equal"):
        Scenario.from_yaml(path)


def test_a_missing_file_lists_the_built_in_scenarios(tmp_path):
    with pytest.raises(DataError, match=r"No such file.*harbour_rumour, quiet_vote"):
        Scenario.from_yaml(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"red__0__technique": "T9999"}, UnknownTechnique, "DISARM technique 'T9999'"),
        ({"blue__0__measure": "C00016"}, UnknownTechnique, "no countermeasure is called 'C00016'"),
        ({"red__0__intensity": 1.5}, ConfigError, r"red\[0\]\.intensity .*less than or equal to 1"),
        ({"red__0__intensity": float("nan")}, ConfigError, r"red\[0\]\.intensity .*finite"),
        ({"red__0__start": -1}, ConfigError, r"red\[0\]\.start .*greater than or equal to 0"),
        ({"red__0__start": "4"}, ConfigError, r"red\[0\]\.start .*valid integer, got '4'"),
        ({"red__0__start": True}, ConfigError, r"red\[0\]\.start .*valid integer"),
        ({"red__0__strat": 1}, ConfigError, r"red\[0\]\.strat is no field of a scenario"),
        ({"red__0__hours": None}, ConfigError, r"red\[0\]\.hours is missing"),
        ({"red__0__claim": None}, ConfigError, r"red\[0\]\.claim is missing; .*C1, C2"),
        ({"red__0__claim": "C3"}, ConfigError, r"red\[0\]\.claim: nothing is called 'C3'"),
        ({"red__0__start": 40}, ConfigError, "seed starts at tick 50, and the run ends at 48"),
        ({"red__0__technique": "T0094.001"}, ConfigError, "aims by min_susceptibility; set it"),
        ({"red__1__targets__ideology": [0.5, 0]}, ConfigError, "ideology is lowest, highest"),
        ({"red__0__technique": "T0072.001"}, ConfigError, "T0072.001 aims by regions; set it"),
        ({"red__0__technique": "T0072.002"}, ConfigError, "aims by ages or education; set it"),
        ({"red__1__technique": "T0072.003", "red__1__targets__education": []},
         ConfigError, "T0072.003 aims by education; set it"),
        ({"red__1__targets__regions": ["Sout"]}, ConfigError,
         r"red\[1\]\.targets\.regions: nothing is called 'Sout'; did you mean 'South'"),
        ({"red__1__targets__ages": [6]}, ConfigError, r"red\[1\]\.targets: ages are numbers"),
        ({"red__1__targets__big_five": {"zeal": [0, 9]}}, ConfigError, "has no trait 'zeal'"),
        ({"red__1__targets__big_five": {"openness": [9]}}, ConfigError, r"big_five\.openness"),
        ({"red__1__targets__roles": ["king"]}, ConfigError, r"targets\.roles\[0\]"),
        ({"red__0__parameters": {"posts": 3}}, ConfigError, "T0042 takes no parameter 'posts'"),
        ({"red__0__after": "lunch"}, ConfigError, "seed: after: nothing is called 'lunch'"),
        ({"red__0__name": "notice"}, ConfigError, "'notice' appears twice"),
        ({"blue__0__threshold": 0.5}, ConfigError, r"blue\[0\]\.threshold: label does not read it"),
        ({"claims__1__code": "C1"}, ConfigError, "claims: 'C1' appears twice"),
        ({"claims__0__code": "C9"}, ConfigError, r"claims\[0\]\.code"),
        ({"claims__0__topic": "harbor"}, ConfigError, "did you mean 'harbour'"),
        ({"claims__0__prior": -2}, ConfigError, r"claims\[0\]\.prior"),
        ({"population": {"bots": 2.0}}, ConfigError, "population: bots is a share from 0 to 1"),
        ({"population": {"bot": 0.1}}, ConfigError, r"population\.bot is no field"),
        ({"population": {"regions": 3}}, ConfigError, "follows from world.regions"),
        ({"network": {"kind": "star"}}, ConfigError, r"network\.kind .*'block'"),
        ({"feed": {"k_in": 1000}}, ConfigError, "feed: k_in is 0 to 64"),
        ({"feed": {"ranker": "best"}}, ConfigError, r"feed\.ranker"),
        ({"true_share": 0.9, "false_share": 0.9}, ConfigError, "true_share . false_share"),
        ({"burnish_scenario": 2}, ConfigError, "burnish_scenario"),
        ({"burnish_scenario": None}, ConfigError, "burnish_scenario is missing"),
        ({"name": "Brazil votes"}, RealName, "name: 'Brazil' looks like a real name"),
        ({"claims__0__about": "see me@x.org"}, RealName, r"claims\[0\]\.about: .* real e-mail"),
        ({"world__topics": ["harbour", "council", "NATO"]}, RealName, r"world\.topics\[2\]"),
        ({"description": "x" * 999}, ConfigError, "description .*at most 400 characters"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_in_one_line(changes, error, message):
    with pytest.raises(error, match=message) as caught:
        Scenario.from_text(changed(**changes), origin="mine")
    assert type(caught.value) is error
    assert str(caught.value).startswith("mine: ")
    assert "\n" not in str(caught.value)


def test_steps_that_wait_for_each_other_are_refused():
    with pytest.raises(CyclicSchedule, match="seed -> swarm -> seed; drop one `after`"):
        Scenario.from_text(changed(red__0__after="swarm"))
    with pytest.raises(CyclicSchedule, match="seed -> seed"):
        Scenario.from_text(changed(red__0__after="seed"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [1]\nb: *x", "line 2: aliases are not allowed"),
        ("a: 1\na: 2", "line 2: 'a' is set twice"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("- a\n- b", "wanted lines of `name: value`, got list"),
        ("a: [1", "line 1"),
        ("a: \x00", "special characters are not allowed"),
        ("[" * 5000, "nested too deeply"),
        ("", "wanted lines of `name: value`, got NoneType"),
    ],
)
def test_what_is_no_plain_yaml_is_refused(text, message):
    with pytest.raises(DataError, match=message):
        Scenario.from_text(text)


def test_a_name_in_a_key_is_refused_too():
    with pytest.raises(RealName, match="key of red"):
        Scenario.from_text(changed(red__0__parameters={"Facebook": 1.0}))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ask @someone", "handle"),
        ("www.some.example", "address"),
        ("me@some.example", "e-mail"),
        ("+44 20 7946 0958", "phone number"),
        ("Brazil", "name"),
    ],
)
@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("claims__0__about", r"claims\[0\]\.about"),
        ("world__regions", r"world\.regions\[0\]"),
        ("world__description", r"world\.description"),
        ("events__0__name", r"events\[0\]\.name"),
        ("red__1__targets__regions", r"red\[1\]\.targets\.regions\[0\]"),
        ("red__0__parameters", r"key of red\[0\]\.parameters"),
        ("blue__0__measure", r"blue\[0\]\.measure"),
    ],
)
def test_the_gate_reads_every_text_of_a_file(path, place, text, kind):
    value = {"regions": [text], "parameters": {text: 1.0}}.get(path.split("__")[-1], text)
    with pytest.raises(RealName, match=f"^scenario: {place}: .* looks like a real {kind}"):
        Scenario.from_text(changed(**{path: value}))


def test_a_users_file_of_names_is_added(tmp_path):
    (tmp_path / "mine.txt").write_text("# ours\n\nTarn\n=Plaza\n", encoding="utf-8")
    gate = NameGate.default(extra=tmp_path / "mine.txt")
    with pytest.raises(RealName, match=r"world\.name: 'Tarn'"):
        Scenario.from_text(SMALL, gate=gate)


def test_a_users_list_of_names_is_added():
    gate = NameGate.default().extended(["Tarn"])
    with pytest.raises(RealName, match=r"world\.name: 'Tarn'"):
        Scenario.from_text(SMALL, gate=gate)


def test_too_long_a_file_is_not_read(tmp_path):
    path = tmp_path / "long.yaml"
    path.write_text("#" * 1_000_001, encoding="utf-8")
    with pytest.raises(DataError, match="at most 1,000,000 bytes"):
        Scenario.from_yaml(path)


def test_a_file_names_no_path_and_the_caller_may():
    with pytest.raises(ConfigError, match=r"a file names no paths; call Scenario\.with_edges"):
        Scenario.from_text(changed(network={"kind": "edges", "edges_path": "/etc/passwd"}))
    network = Scenario.from_text(SMALL).with_edges("mine.csv").world.network
    assert (network.kind, network.edges_path) == (NetworkKind.EDGES, "mine.csv")


def test_dates_stay_text_and_are_refused_as_numbers():
    with pytest.raises(BurnishError, match=r"hours .*valid integer, got '2031-04-02'"):
        Scenario.from_text(SMALL.replace("hours: 48", "hours: 2031-04-02"))
