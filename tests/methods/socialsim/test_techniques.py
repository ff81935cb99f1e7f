"""DISARM ids: what they stand for, and what is refused."""

from __future__ import annotations

import re

import pytest

from burnish.errors import ConfigError
from burnish.methods.socialsim.techniques import (
    COUNTERS,
    TECHNIQUES,
    UnknownTechnique,
    counter,
    technique,
)
from burnish.methods.socialsim.world import BlueKind, BlueMeasure, Primitive, Targets

SPECIFIED = [
    "T0146.007",
    "T0150.008",
    "T0092.002",
    "T0094.001",
    "T0072",
    "T0072.001",
    "T0072.002",
    "T0072.003",
    "T0072.004",
    "T0072.005",
    "T0020",
    "T0042",
    "T0044",
    "T0049.003",
    "T0049.005",
    "T0049.002",
    "T0118",
    "T0119.001",
    "T0102.001",
    "T0121",
    "T0124.001",
]
COUNTERED = [
    "C00125",
    "C00073",
    "C00119",
    "C00142",
    "C00107",
    "C00101",
    "C00123",
    "C00044",
    "C00147",
    "C00133",
    "C00197",
    "C00074",
]


def test_every_technique_of_the_table_has_a_primitive():
    assert {technique(code).id for code in SPECIFIED} == set(SPECIFIED)


def test_every_primitive_is_reachable():
    assert {item.primitive for item in TECHNIQUES.values()} == set(Primitive)


def test_every_countermeasure_of_the_table_is_found_by_id_and_by_name():
    assert {counter(code).kind for code in COUNTERED} == set(BlueKind) - {BlueKind.NOTES}
    assert all(counter(kind.value).kind is kind for kind in BlueKind)


def test_countermeasures_read_fields_that_a_measure_has():
    known = set(BlueMeasure.__dataclass_fields__)
    assert all(known >= {*item.fields, *item.defaults} for item in COUNTERS.values())


def test_techniques_aim_by_traits_that_targets_have():
    known = set(Targets.__dataclass_fields__)
    assert all(known >= set(item.traits) for item in TECHNIQUES.values())
    segments = [item for code, item in TECHNIQUES.items() if code.startswith("T0072.")]
    assert {item.primitive for item in segments} == {Primitive.SELECT_TARGETS}
    assert all(item.traits for item in segments)


def test_ids_have_the_form_of_the_framework():
    assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", code) for code in TECHNIQUES)


@pytest.mark.parametrize("code", ["T9999", "T0048", "t0020", ""])
def test_an_unmapped_technique_raises(code):
    with pytest.raises(UnknownTechnique, match=f"no primitive stands for .*{code!r}"):
        technique(code)


def test_a_counter_its_maintainers_warn_about_is_not_built():
    with pytest.raises(UnknownTechnique, match="no countermeasure is called 'C00016'"):
        counter("C00016")


def test_parameters_are_filled_and_checked():
    assert technique("T0092.002").filled({}) == {"edges": 20}
    assert technique("T0044").filled({"end_stance": 0.5}) == {
        "start_stance": 0.1,
        "end_stance": 0.5,
    }
    assert technique("T0150.008").filled({}) == {}  # the engine scales it with the world
    with pytest.raises(ConfigError, match=r"end_stance \(.*\) is -1 to 1, got 2"):
        technique("T0044").filled({"end_stance": 2})
    with pytest.raises(ConfigError, match="got nan"):
        technique("T0092.002").filled({"edges": float("nan")})
    with pytest.raises(ConfigError, match="takes no parameter 'edge'; did you mean 'edges'"):
        technique("T0092.002").filled({"edge": 3})
