"""Ask core agents the probes, and collect what calibration wants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from burnish.errors import ChatError
from burnish.methods.socialsim.calibration import Answers
from burnish.methods.socialsim.llm_policy import LlmPolicy
from burnish.methods.socialsim.probes import Subject, features


def ask(policy: LlmPolicy, subjects: Sequence[Subject]) -> Answers:
    """How core agents act on every item of every subject; a row an item, subject by subject.

    A subject whose model does not answer is left out.

    Raises:
        ChatError: the model answered nobody.
    """
    rows, roles, people, labelled, chances = [], [], [], [], []
    last: ChatError | None = None
    for index, subject in enumerate(subjects):
        try:
            found = policy.probabilities(subject)
        except ChatError as error:
            last = error
            continue
        n = len(found)
        rows.append(features(subject))
        chances.append(found)
        roles.append(np.full(n, int(subject.persona.role)))
        people.append(np.full(n, index))
        labelled.append(np.array([item.marked for item in subject.items]))
    if not rows:
        raise ChatError(f"the model answered no probe: {last}") from last
    return Answers(
        np.concatenate(rows),
        np.concatenate(roles),
        np.concatenate(people),
        np.concatenate(labelled),
        np.concatenate(chances),
    )
