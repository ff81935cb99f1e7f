"""Part examples into what is trained on and what is tested on."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import train_test_split

from burnish.data.examples import Examples
from burnish.errors import DataError

_SHOWN = 5  # classes that an error names


def train_test(examples: Examples, *, test: int | float, seed: int) -> tuple[Examples, Examples]:
    """Training and test part, drawn at random with the classes in the same shares.

    Texts are not compared: drop duplicates before. Both parts keep the order of the examples.

    Args:
        examples: what to part.
        test: how many examples are for testing, or their share if it is below 1.
        seed: of the draw.

    Raises:
        DataError: a part would be empty, or a class is too small to be in both.
    """
    n = len(examples)
    size = round(test * n) if test < 1 else int(test)
    if not 0 < size < n:
        raise DataError(f"test must leave examples in both parts of {n}, got {test}")
    try:
        parts = train_test_split(
            np.arange(n), test_size=size, random_state=seed, stratify=examples.labels or None
        )
    except ValueError as error:
        counts = np.bincount(examples.labels, minlength=len(examples.label_names))
        rarest = np.argsort(counts, kind="stable")[:_SHOWN]
        shares = ", ".join(f"{examples.label_names[row]} {counts[row]}" for row in rarest)
        raise DataError(
            f"{size} of {n} examples cannot be drawn with the classes in the same shares "
            f"(rarest of {len(counts)} classes: {shares}); drop classes of one example, or set "
            "test to another size"
        ) from error
    train, held = (examples.take(np.sort(part)) for part in parts)
    return train, held
