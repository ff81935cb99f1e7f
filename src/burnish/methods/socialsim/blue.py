"""The defence: countermeasures as they meet accounts and posts. Only the listed ones exist.

Each writes a row of the moderation table for every post or account that it touches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from burnish.methods.socialsim.acting import Feeds, Floats, Ids
from burnish.methods.socialsim.applying import Limits
from burnish.methods.socialsim.notes import factorise
from burnish.methods.socialsim.population import ASSETS
from burnish.methods.socialsim.randomness import Stage, stage_key, uniforms
from burnish.methods.socialsim.schema import (
    MODERATION,
    NONE,
    Flag,
    Label,
    Measure,
    PostKind,
    Veracity,
)
from burnish.methods.socialsim.state import State
from burnish.methods.socialsim.world import BlueKind, BlueMeasure

STANDARD_FRICTION = 0.61  # logits that the rule's label coefficients stand for
_REVIEW_EVERY = 6  # ticks between reviews of accounts, and of notes
_REPORTS, _REPORTS_PER_LIKE = 20, 0.2  # from which on a reported post is down-ranked unseen
_REPORT_WINDOW = 24
_RATE_CHANCE = 0.3  # that a rater who sees a post rates its note
_NEEDLESS_NOTES = 0.1  # share of posts beside the claims on which somebody writes one
_PARTISAN = 2.0  # logits of a rater's own view
_FEWEST_RATINGS = 5
_NOTE_WINDOW = 72  # ticks; older ratings no longer count


@dataclass(frozen=True)
class Moderated:
    """Rows of the moderation table that one measure wrote in one tick."""

    measure: BlueMeasure
    rows: pa.Table


def before(state: State, plan: tuple[BlueMeasure, ...]) -> tuple[Limits, list[Moderated]]:
    """What a tick begins with: courses that fade, labels that fall due, limits on actions."""
    done = [
        Moderated(measure, _BEFORE[measure.kind](state, measure, number))
        for number, measure in enumerate(plan)
        if measure.kind in _BEFORE and _runs(measure, state.tick)
    ]
    running = [measure for measure in plan if _runs(measure, state.tick)]
    frictions = [m.strength for m in running if m.kind is BlueKind.LABEL]
    state.friction = max(frictions) / STANDARD_FRICTION if frictions else 1.0
    limits = Limits()
    for measure in running:
        if measure.kind is BlueKind.RATE_LIMIT:
            limits = limits._replace(per_day=measure.cap)
        elif measure.kind is BlueKind.DUPLICATE_LIMIT:
            limits = limits._replace(per_root=measure.cap)
    return limits, done


def after(
    state: State, plan: tuple[BlueMeasure, ...], agents: Ids, feeds: Feeds
) -> list[Moderated]:
    """What a tick ends with: new posts held back, accounts reviewed, notes rated and shown."""
    done = []
    for number, measure in enumerate(plan):
        if not _runs(measure, state.tick):
            continue
        if measure.kind is BlueKind.DELAY:
            done.append(Moderated(measure, _hold(state, measure)))
        elif measure.kind is BlueKind.SUSPEND and state.tick % _REVIEW_EVERY == 0:
            done.append(Moderated(measure, _suspend(state, measure)))
        elif measure.kind is BlueKind.NOTES:
            _rate(state, measure, agents, feeds, number)
            if state.tick % _REVIEW_EVERY == 0:
                done.append(Moderated(measure, _show_notes(state, measure)))
    return done


def stopped(state: State, rows: NDArray[np.uint32]) -> pa.Table:
    """Moderation rows of actions that a limit stopped: (k, 3) of measure, post and agent."""
    return _logged(state.tick, rows[:, 0], rows[:, 1], rows[:, 2], 0.0)


def _runs(measure: BlueMeasure, tick: int) -> bool:
    return measure.start <= tick and (measure.end is None or tick < measure.end)


def _logged(
    tick: int,
    measure: Measure | NDArray[np.integer],
    post: Ids | int,
    agent: Ids | int,
    value: float | Floats,
) -> pa.Table:
    shape = np.broadcast_shapes(*(np.shape(item) for item in (measure, post, agent, value)))
    columns = [np.broadcast_to(item, shape) for item in (tick, measure, post, agent, value)]
    kinds = (np.uint16, np.uint8, np.uint32, np.uint32, np.float32)
    arrays = [column.astype(kind) for column, kind in zip(columns, kinds, strict=True)]
    return pa.table(arrays, MODERATION)


def _claims(state: State, measure: BlueMeasure) -> tuple[int, ...]:
    false = tuple(c for c, claim in enumerate(state.claims) if not claim.true)
    return measure.claims or false


def _about(rows: NDArray[np.void], claims: tuple[int, ...]) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = np.isin(rows["claim"], claims) & (rows["kind"] != PostKind.REPOST)
    return chosen


def _due(state: State, measure: BlueMeasure) -> Ids:
    """False posts on the measure's claims that reach its delay now; at its start, all older."""
    made = state.tick - max(1, measure.delay)  # a post is seen by nobody in its own tick
    if made < 0 or made >= len(state.posts.first) - 1:
        return np.zeros(0, np.uint32)
    begin = state.posts.first[0 if state.tick == measure.start else made]
    rows = state.posts.rows[begin : state.posts.first[made + 1]]
    false = _about(rows, _claims(state, measure)) & (rows["veracity"] == Veracity.FALSE)
    return (begin + np.flatnonzero(false)).astype(np.uint32)


def _chosen(state: State, measure: BlueMeasure, number: int) -> Ids:
    """The ordinary accounts that a course reaches."""
    who = np.arange(len(state.agents), dtype=np.uint32)
    reached = uniforms(stage_key(state.seed, -1, Stage.BLUE), who, number) < measure.fraction
    return who[reached & ~np.isin(state.agents.role, ASSETS)]


def _prebunk(state: State, measure: BlueMeasure, number: int) -> pa.Table:
    inoculation = state.agents.inoculation
    inoculation *= np.float32(0.5 ** (1 / measure.half_life))
    if state.tick != measure.start:
        return MODERATION.empty_table()
    state.prebunked[list(_claims(state, measure))] = 1
    who, strength = _chosen(state, measure, number), min(1.0, measure.strength)
    inoculation[who] = np.maximum(inoculation[who], np.float32(strength))
    return _logged(state.tick, Measure.PREBUNK, NONE, who, strength)


def _literacy(state: State, measure: BlueMeasure, number: int) -> pa.Table:
    literacy, base = state.agents.literacy, state.base_literacy
    literacy[:] = base + (literacy - base) * np.float32(0.5 ** (1 / measure.half_life))
    if state.tick != measure.start:
        return MODERATION.empty_table()
    who = _chosen(state, measure, number)
    literacy[who] = np.minimum(1, literacy[who] + np.float32(measure.strength))
    return _logged(state.tick, Measure.LITERACY, NONE, who, measure.strength)


def _mark(label: Label, kind: Measure) -> Callable[[State, BlueMeasure, int], pa.Table]:
    def mark(state: State, measure: BlueMeasure, number: int) -> pa.Table:
        posts = _due(state, measure)
        state.posts.rows["labels"][posts] |= np.uint8(label)
        return _logged(state.tick, kind, posts, state.posts.rows["author"][posts], measure.strength)

    return mark


def _downrank(state: State, measure: BlueMeasure, number: int) -> pa.Table:
    """False posts when they fall due, and whatever many have reported, true or not."""
    posts, rows = _due(state, measure), state.posts.rows
    begin = state.posts.first[max(0, state.tick - _REPORT_WINDOW)]
    young = rows[begin:]
    reported = (young["reports"] >= _REPORTS) & (young["visibility"] == 1)
    reported &= young["reports"] > _REPORTS_PER_LIKE * young["likes"]
    posts = np.union1d(posts, (begin + np.flatnonzero(reported)).astype(np.uint32))
    rows["visibility"][posts] *= np.float32(measure.factor)
    return _logged(state.tick, Measure.DOWNRANK, posts, rows["author"][posts], measure.factor)


def _release(state: State, measure: BlueMeasure, number: int) -> pa.Table:
    """Posts that were held long enough appear."""
    posts = state.posts.of_tick(state.tick - measure.delay)
    rows = state.posts.rows
    held = posts[rows["labels"][posts] & Label.DELAYED > 0]
    rows["labels"][held] &= np.uint8(~Label.DELAYED & 0xFF)
    rows["visibility"][held] = 1
    return _logged(state.tick, Measure.DELAY, held, rows["author"][held], 1.0)


def _hold(state: State, measure: BlueMeasure) -> pa.Table:
    """New posts on the claims, true or false, are not shown yet."""
    begin = state.posts.first[state.tick]
    rows = state.posts.rows[begin:]
    held = (begin + np.flatnonzero(_about(rows, _claims(state, measure)))).astype(np.uint32)
    if measure.delay:
        state.posts.rows["labels"][held] |= np.uint8(Label.DELAYED)
        state.posts.rows["visibility"][held] = 0
    return _logged(state.tick, Measure.DELAY, held, state.posts.rows["author"][held], 0.0)


def _suspend(state: State, measure: BlueMeasure) -> pa.Table:
    agents = state.agents
    guilty = (state.scores >= measure.threshold) & (agents.flags & Flag.SUSPENDED == 0)
    who = np.flatnonzero(guilty).astype(np.uint32)
    agents.strikes[who] += np.uint8(1)
    out = who[agents.strikes[who] >= measure.strikes]
    agents.flags[out] |= np.uint8(Flag.SUSPENDED)
    return pa.concat_tables(
        [
            _logged(state.tick, Measure.STRIKE, NONE, who, state.scores[who]),
            _logged(state.tick, Measure.SUSPEND, NONE, out, state.scores[out]),
        ]
    )


def _rate(state: State, measure: BlueMeasure, agents: Ids, feeds: Feeds, number: int) -> None:
    """Raters say whether the note on a post they see helps, by what they believe and know.

    Every post on the claims has a note, and so has a share of all others, most of which need none;
    what one side of the world would like to see noted is rated up by that side.
    """
    owner, rows = np.repeat(agents, np.diff(feeds.start)), state.posts.rows
    post = rows["content"][feeds.post]
    noted = uniforms(stage_key(state.seed, -2, Stage.RATE), post, number) < _NEEDLESS_NOTES
    noted |= np.isin(rows["claim"][post], _claims(state, measure))
    noted &= uniforms(stage_key(state.seed, -1, Stage.RATE), owner, number) < measure.raters
    owner, post = owner[noted], post[noted]
    # a draw of its own for each pair, since one rater may see several posts
    key = stage_key(state.seed, state.tick, Stage.RATE)
    pair = (owner.astype(np.uint64) << np.uint64(16)) ^ (post.astype(np.uint64) & np.uint64(65535))
    rates = uniforms(key, pair, 2 * number) < _RATE_CHANCE
    owner, post, pair = owner[rates], post[rates], pair[rates]
    helpful = uniforms(key, pair, 2 * number + 1) < _helpfulness(state, owner, post)
    new = np.stack([owner, post], axis=1)
    state.ratings = np.concatenate([state.ratings, new.astype(np.uint32)])
    state.rating_values = np.concatenate([state.rating_values, helpful.astype(np.float32)])


def _helpfulness(state: State, rater: Ids, post: Ids) -> NDArray[np.floating]:
    """The chance that a rater calls a post's note helpful: (n,)."""
    rows, claim = state.posts.rows, state.posts.rows["claim"][post]
    own = np.where(
        claim < 0,
        state.agents.ideology[rater],
        state.beliefs[rater, np.maximum(claim, 0)] if state.claims else 0.0,
    )
    against = -np.sign(rows["stance"][post]) * own
    needed = np.where(rows["veracity"][post] == Veracity.FALSE, 1.0, -1.0)
    logit = _PARTISAN * against + needed * (0.8 + 2.0 * state.agents.literacy[rater])
    chance: NDArray[np.floating] = 1 / (1 + np.exp(-logit))
    return chance


def _show_notes(state: State, measure: BlueMeasure) -> pa.Table:
    rows = state.posts.rows
    recent = rows["tick"][state.ratings[:, 1]] + _NOTE_WINDOW >= state.tick
    state.ratings, state.rating_values = state.ratings[recent], state.rating_values[recent]
    if not len(state.ratings):
        return MODERATION.empty_table()
    rater, note = state.ratings.T
    fit = factorise(rater, note, state.rating_values, state.agents.ideology[rater])
    shown = (fit.note_intercept >= measure.threshold) & (fit.ratings >= _FEWEST_RATINGS)
    posts, value = fit.notes[shown], fit.note_intercept[shown].astype(np.float32)
    new = rows["labels"][posts] & Label.NOTE == 0
    posts, value = posts[new], value[new]
    rows["labels"][posts] |= np.uint8(Label.NOTE)
    return _logged(state.tick, Measure.NOTE, posts, rows["author"][posts], value)


_BEFORE: dict[BlueKind, Callable[[State, BlueMeasure, int], pa.Table]] = {
    BlueKind.PREBUNK: _prebunk,
    BlueKind.LITERACY: _literacy,
    BlueKind.DEBUNK: _mark(Label.DEBUNK, Measure.DEBUNK),
    BlueKind.LABEL: _mark(Label.WARNING, Measure.LABEL),
    BlueKind.DOWNRANK: _downrank,
    BlueKind.DELAY: _release,
    BlueKind.EXPIRE: _mark(Label.EXPIRED, Measure.EXPIRE),
}
