"""What a run may cost, and the meter that stops it. Knows no provider and no prices."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields

from burnish.chat.protocol import Usage
from burnish.errors import BudgetExceeded, ConfigError


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The most a run may use; None is no limit.

    Attributes:
        tokens: prompt and completion tokens together, > 0.
        usd: US dollars, > 0.
        seconds: wall time since the meter was made, > 0.

    Raises:
        ConfigError: a limit is not a positive finite number.
    """

    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            limit = getattr(self, field.name)
            if limit is not None and not (math.isfinite(limit) and limit > 0):
                raise ConfigError(
                    f"a budget's {field.name} must be a positive number, got {limit}; "
                    "leave it out for no limit"
                )


class Meter:
    """Adds up what calls cost and refuses more once a `Budget` is used up; thread-safe.

    A call whose cost is known only afterwards is first reserved at its worst case and then settled
    at what it cost, so calls in flight together cannot pass the limit that each alone would keep. A
    call that may not fit waits for those in flight, which mostly cost less than their worst case.

    Args:
        budget: the limits.
        clock: seconds from any origin, never going back.
    """

    def __init__(self, budget: Budget, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.budget = budget
        self._clock = clock
        self._start = clock()
        self._settled = threading.Condition()
        self._in_flight = 0
        self._spent = Usage()
        self._reserved = Usage()

    @property
    def spent(self) -> Usage:
        """What was charged so far, without open reservations."""
        with self._settled:
            return self._spent

    @property
    def seconds(self) -> float:
        """Wall time since the meter was made."""
        return self._clock() - self._start

    @property
    def seconds_left(self) -> float | None:
        """Wall time until the limit, never below 0; None without a limit."""
        limit = self.budget.seconds
        return None if limit is None else max(0.0, limit - self.seconds)

    def charge(self, usage: Usage) -> None:
        """Record what a finished call cost.

        Raises:
            BudgetExceeded: a limit is now passed; the usage is recorded all the same.
        """
        with self._settled:
            self._spent = _sum(self._spent, usage)
            self._refuse_over(self._spent, "were")

    def reserve(self, worst: Usage) -> None:
        """Set aside the most that a call can cost; `settle` gives it back.

        Waits while the call does not fit but others in flight may still turn out cheaper.

        Raises:
            BudgetExceeded: the call could pass a limit; nothing is set aside.
        """
        with self._settled:
            while True:
                try:
                    self._refuse_over(_sum(_sum(self._spent, self._reserved), worst), "could be")
                except BudgetExceeded:
                    if not self._in_flight or self.seconds_left == 0:
                        raise
                    self._settled.wait(self.seconds_left)
                else:
                    break
            self._reserved = _sum(self._reserved, worst)
            self._in_flight += 1

    def settle(self, worst: Usage, usage: Usage) -> None:
        """Put what a call cost in the place of its reservation. Never raises: it is spent."""
        with self._settled:
            self._reserved = _sum(self._reserved, worst, sign=-1)
            self._spent = _sum(self._spent, usage)
            self._in_flight -= 1
            self._settled.notify_all()

    def _refuse_over(self, usage: Usage, verb: str) -> None:
        budget = self.budget
        tokens = usage.prompt_tokens + usage.completion_tokens
        if budget.tokens is not None and tokens > budget.tokens:
            raise BudgetExceeded(
                f"the budget is {budget.tokens} tokens, and {tokens} {verb} used; raise it to go on"
            )
        # a hair of slack: sums of prices are floats, and a reservation leaves and comes back
        if budget.usd is not None and usage.usd > budget.usd * (1 + 1e-9):
            raise BudgetExceeded(
                f"the budget is {budget.usd:.4f} USD, and {usage.usd:.4f} USD {verb} used; "
                "raise it to go on"
            )
        if budget.seconds is not None and self.seconds >= budget.seconds:
            raise BudgetExceeded(
                f"the budget is {budget.seconds:g} s, and {self.seconds:.1f} s have passed; "
                "raise it to go on"
            )


def _sum(left: Usage, right: Usage, *, sign: int = 1) -> Usage:
    return Usage(
        prompt_tokens=left.prompt_tokens + sign * right.prompt_tokens,
        completion_tokens=left.completion_tokens + sign * right.completion_tokens,
        usd=left.usd + sign * right.usd,
    )
