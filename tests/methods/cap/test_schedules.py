import pytest

from burnish.errors import ConfigError, UsageError
from burnish.methods.cap.schedules import Cubic, Stages

MOVEMENT = {
    "initial": 1.0,
    "final": 0.1,
    "warmup_steps": 10,
    "initial_warmup": 1,
    "final_warmup": 2,
    "total_steps": 70,
}


@pytest.mark.parametrize(
    ("step", "value"),
    [
        (0, 1.0),
        (10, 1.0),  # t_i itself still holds v_0
        (20, 0.1 + 0.9 * 0.75**3),
        (30, 0.1 + 0.9 / 8),
        (40, 0.1 + 0.9 / 64),
        (49, 0.1 + 0.9 / 40**3),
        (50, 0.1),  # the curve meets v_f at T_tot - t_f
        (69, 0.1),
        (70, 0.1),
    ],
)
def test_the_share_kept_falls_along_the_cubic(step, value):
    assert Cubic(**MOVEMENT).at(step) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ("step", "value"), [(0, 0.0), (20, 0.1 - 0.1 * 0.75**3), (30, 0.0875), (51, 0.1)]
)
def test_the_threshold_of_soft_movement_rises(step, value):
    schedule = Cubic(**{**MOVEMENT, "initial": 0.0, "final": 0.1})
    assert schedule.at(step) == pytest.approx(value, abs=1e-12)


def test_the_published_schedule_ends_exactly_at_its_final_value():
    schedule = Cubic(
        initial=1.0,
        final=0.03,
        warmup_steps=11_000,
        initial_warmup=2,
        final_warmup=3,
        total_steps=113_700,
    )
    assert schedule.at(22_000) == 1.0
    assert schedule.at(22_001) < 1.0
    assert schedule.at(113_700 - 33_000 + 1) == 0.03


def test_without_warmups_the_final_value_comes_after_the_last_step():
    schedule = Cubic(**{**MOVEMENT, "initial_warmup": 0, "final_warmup": 0})
    assert schedule.at(69) > schedule.at(70) == 0.1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"initial": 1.2}, "initial is a share kept or a threshold, from 0 to 1, got 1.2"),
        ({"final": -0.1}, "final is a share kept"),
        ({"final": float("nan")}, "final is a share kept"),
        ({"warmup_steps": -1}, "warmup_steps must be >= 0, got -1"),
        ({"final_warmup": float("inf")}, "final_warmup must be >= 0, got inf"),
        ({"total_steps": 30}, "30 steps leave none to prune in: 10 are held at the start and 20"),
    ],
)
def test_a_schedule_that_cannot_be_followed_is_refused(change, complaint):
    with pytest.raises(ConfigError, match=complaint):
        Cubic(**{**MOVEMENT, **change})


def test_steps_are_not_negative():
    with pytest.raises(UsageError, match="counted from 0, got -1"):
        Cubic(**MOVEMENT).at(-1)


def test_stages_tell_the_training_after_each():
    stages = Stages([0.4, 0.7, 0.85], epochs=1, final_epochs=2)
    assert stages.sparsities == (0.4, 0.7, 0.85)
    assert [stages.epochs_after(stage) for stage in range(len(stages))] == [1, 1, 2]


def test_the_last_stage_trains_like_the_others_unless_told():
    assert [Stages((0.1, 0.2), epochs=3).epochs_after(stage) for stage in range(2)] == [3, 3]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"sparsities": []}, "one share removed a stage, got none"),
        ({"sparsities": [0.4, 0.4]}, "each must be above the one before, got 0.4, 0.4"),
        ({"sparsities": [0.7, 0.4]}, "each must be above the one before"),
        ({"sparsities": [0.5, 1.0]}, "above 0 and below 1, got 1.0"),
        ({"sparsities": [0.0]}, "above 0 and below 1, got 0.0"),
        ({"sparsities": [float("nan")]}, "above 0 and below 1, got nan"),
        ({"sparsities": [0.5], "epochs": -1}, "epochs must be >= 0, got -1"),
        ({"sparsities": [0.5], "final_epochs": -2}, "final_epochs must be >= 0, got -2"),
    ],
)
def test_stages_that_cannot_be_followed_are_refused(arguments, complaint):
    with pytest.raises(ConfigError, match=complaint):
        Stages(**arguments)
