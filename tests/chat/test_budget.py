from __future__ import annotations

import threading

import pytest

from burnish.chat import Budget, Meter, Usage
from burnish.errors import BudgetExceeded, ConfigError


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["tokens", "usd", "seconds"])
def test_limits_are_positive_numbers(name, limit):
    with pytest.raises(ConfigError, match=f"a budget's {name} must be a positive number"):
        Budget(**{name: limit})


def test_no_limit_never_stops():
    meter = Meter(Budget())
    meter.charge(Usage(prompt_tokens=10**12, usd=1e9))
    assert meter.seconds_left is None


def test_a_limit_may_be_reached_but_not_passed():
    meter = Meter(Budget(tokens=10))
    meter.charge(Usage(prompt_tokens=4, completion_tokens=6))
    with pytest.raises(BudgetExceeded, match="the budget is 10 tokens, and 11 were used"):
        meter.charge(Usage(completion_tokens=1))
    assert meter.spent == Usage(prompt_tokens=4, completion_tokens=7), "it is spent all the same"


def test_dollars_and_seconds():
    clock = Clock()
    meter = Meter(Budget(usd=0.3, seconds=5), clock=clock)
    for _ in range(3):
        meter.charge(Usage(usd=0.1))  # 0.30000000000000004 in floats
    clock.now += 4.5
    assert meter.seconds_left == 0.5
    meter.charge(Usage())
    clock.now += 1
    assert meter.seconds_left == 0
    with pytest.raises(BudgetExceeded, match=r"the budget is 5 s, and 5.5 s have passed"):
        meter.charge(Usage())
    with pytest.raises(BudgetExceeded, match=r"0.3000 USD, and 0.4000 USD were used"):
        meter.charge(Usage(usd=0.1))


def test_a_reservation_waits_for_calls_in_flight_and_takes_what_they_leave():
    meter = Meter(Budget(tokens=100))
    worst = Usage(completion_tokens=60)
    meter.reserve(worst)
    through = threading.Event()

    def second() -> None:
        meter.reserve(worst)
        through.set()

    thread = threading.Thread(target=second)
    thread.start()
    assert not through.wait(0.1)
    meter.settle(worst, Usage(completion_tokens=10))
    assert through.wait(5)
    thread.join()
    meter.settle(worst, Usage(completion_tokens=50))
    with pytest.raises(BudgetExceeded, match="and 120 could be used"):
        meter.reserve(worst)
    assert meter.spent == Usage(completion_tokens=60)


def test_threads_together_never_pass_the_limit():
    meter = Meter(Budget(tokens=1000))
    worst, cost = Usage(completion_tokens=50), Usage(completion_tokens=30)
    done = []

    def work() -> None:
        try:
            while True:
                meter.reserve(worst)
                meter.settle(worst, cost)
                done.append(1)
        except BudgetExceeded:
            return

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    # the next call is refused when 30 n + 50 > 1000
    assert len(done) == 32
    assert meter.spent == Usage(completion_tokens=960)
