"""Points, claims and verdicts, and the intervals that go with them."""

from burnish.evidence.claims import Claim, Status, Verdict
from burnish.evidence.intervals import (
    Interval,
    bootstrap_mean,
    clopper_pearson,
    paired_bootstrap,
    unpaired_bootstrap,
    wilson,
)
from burnish.evidence.points import Point, find, interval_of

__all__ = [
    "Claim",
    "Interval",
    "Point",
    "Status",
    "Verdict",
    "bootstrap_mean",
    "clopper_pearson",
    "find",
    "interval_of",
    "paired_bootstrap",
    "unpaired_bootstrap",
    "wilson",
]
