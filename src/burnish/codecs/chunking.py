"""How much of a vector is worked on at a time."""

CHUNK = 1 << 18
"""Numbers: what is read again stays in the cache, and the calls' own cost does not show."""
