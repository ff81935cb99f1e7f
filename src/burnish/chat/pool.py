"""Many requests to a model that answers one at a time, a few of them in flight."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from burnish.chat.protocol import Outcome, Reply, Request
from burnish.errors import BudgetExceeded, ChatError


def outcomes(
    ask: Callable[[Request], Reply],
    requests: Sequence[Request],
    *,
    at_once: int,
    order: Sequence[int] | None = None,
) -> Iterator[Outcome]:
    """One outcome a request, as they finish.

    Args:
        ask: thread-safe; raises a `ChatError` for a request that fails, and `BudgetExceeded` to
            end the whole.
        requests: what to ask.
        at_once: threads, the most requests in flight.
        order: in which to start them; by default as they come.

    Raises:
        BudgetExceeded: what was in flight then has been yielded; nothing more was asked.
    """
    over: BudgetExceeded | None = None
    pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="burnish-chat")
    try:
        todo = range(len(requests)) if order is None else order
        asked: dict[Future[Reply], int] = {pool.submit(ask, requests[i]): i for i in todo}
        for done in as_completed(asked):
            if done.cancelled():
                continue
            try:
                yield Outcome(asked[done], done.result())
            except ChatError as failed:
                yield Outcome(asked[done], failed)
            except BudgetExceeded as exceeded:
                over = over or exceeded
                for waiting in asked:
                    waiting.cancel()
        if over is not None:
            raise over
    finally:
        pool.shutdown(cancel_futures=True)
