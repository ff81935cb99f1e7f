"""Points, claims and verdicts, and the intervals that go with them."""

from burnish.evidence.claims import Claim, Status, Verdict
from burnish.evidence.points import Point

__all__ = ["Claim", "Point", "Status", "Verdict"]
