import pytest

from burnish.methods.structext.defects import DEFECTS, measure


@pytest.fixture(scope="module")
def measured():
    return {(row.name, row.profile): row for row in measure(seed=5, passes=60)}


def test_every_defect_is_measured_in_both_profiles(measured):
    assert {name for name, _ in measured} == set(DEFECTS)
    assert len(measured) == 2 * len(DEFECTS)
    assert {row.defect for row in measured.values()} == {f"D{n}" for n in range(1, 14)}
    assert all(row.value is not None and row.n >= 30 for row in measured.values())


@pytest.mark.parametrize(
    ("name", "released", "within"),
    [
        ("oracle_ceiling_percent", 95.3, 1.5),
        ("reordered_zero_percent", 81, 8),
        ("latex_answerable_percent", 17, 12),
        ("syntax_true_percent", 98.2, 2),
        ("height_is_depth_percent", 100, 0),
        ("join_zero_percent", 84, 9),
        ("constant_floor_percent", 25.9, 2.5),
        ("wrong_section_percent", 19, 6),
        ("value_is_id_percent", 6.8, 4),
        ("own_shot_percent", 0.95, 1),
        ("asked_value_differs_percent", 100, 0),
    ],
)
def test_the_official_profile_has_the_released_defects(measured, name, released, within):
    assert measured[name, "official"].value == pytest.approx(released, abs=within)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("oracle_ceiling_percent", 100, 100),
        ("reordered_zero_percent", 0, 0),
        ("latex_answerable_percent", 100, 100),
        ("truncated_path_percent", 0, 0),
        ("syntax_true_percent", 42, 58),
        ("height_is_depth_percent", 60, 90),
        ("join_zero_percent", 5, 35),
        ("constant_floor_percent", 0, 20),
        ("wrong_section_percent", 0, 2),
        ("value_is_id_percent", 0, 0),
        ("extension_varies_percent", 0, 0),
        ("hint_misleads_percent", 0, 0),
        ("own_shot_percent", 0, 0),
        ("false_excerpt_percent", 0, 0),
        ("asked_value_differs_percent", 0, 0),
        ("obedient_zero_percent", 0, 0),
    ],
)
def test_the_corrected_profile_mends_them(measured, name, low, high):
    assert low <= measured[name, "corrected"].value <= high


def test_the_scorer_can_be_exchanged():
    rows = measure(passes=3, scorer=lambda gold, answer: 0.74)
    ceiling = [row.value for row in rows if row.name == "oracle_ceiling_percent"]
    assert ceiling == [0, 0]
