"""What the paper says, and what we say, as sentences that a run's points confirm or refute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from burnish.evidence import Claim, Point, Verdict, find, interval_of

PAPER = "CG-FedLLM, arXiv 2405.13746"
ENOUGH = 3
"""Paired federations below which nothing is said of a recovered share."""
LOSSLESS = 0.95
"""Share of the loss drop of float32 from which a codec may be called without loss."""

_CPU = "burnish run cg_fedllm --preset cpu"
Check = Callable[[Sequence[Point]], Verdict]


def _one(points: Sequence[Point], name: str, **tags: Any) -> Point | None:
    return next((point for point in find(points, name, **tags) if point.value is not None), None)


def _untested(why: str) -> Verdict:
    return Verdict("not_tested", note=f"{why}; {_CPU}")


def _recovers(arm: str, least: float) -> Check:
    """The mean share of the dense loss drop reaches `least`."""

    def check(points: Sequence[Point]) -> Verdict:
        point = _one(points, "recovered_ratio", arm=arm)
        if point is None or point.value is None:
            return _untested(f"needs {arm} among the codecs")
        bounds, runs = interval_of(point), int(point.tags["n"])
        if runs < ENOUGH:
            return Verdict(
                "not_tested", point.value, bounds, f"{runs} federations are too few; {_CPU}"
            )
        holds = point.value >= least
        note = f"{runs} paired federations"
        if holds and bounds and bounds[0] < least:
            note += "; the interval reaches below the target"
        return Verdict("holds" if holds else "fails", point.value, bounds, note)

    return check


def _twice_top_k(points: Sequence[Point]) -> Verdict:
    ours = _one(points, "recovered_ratio", arm="masked-sign")
    theirs = _one(points, "recovered_ratio", arm="top-k")
    if ours is None or theirs is None or ours.value is None or theirs.value is None:
        return _untested("needs masked-sign and top-k")
    if int(ours.tags["n"]) < ENOUGH:
        return _untested("too few federations")
    note = f"{ours.value:.3f} against {theirs.value:.3f}"
    if theirs.value <= 0:
        return Verdict("holds" if ours.value > 0 else "fails", None, None, note)
    ratio = ours.value / theirs.value
    return Verdict("holds" if ratio >= 2 else "fails", ratio, None, note)


def _payload(points: Sequence[Point]) -> Verdict:
    point = _one(points, "latent_share_percent", codec="autoencoder")
    if point is None or point.value is None:
        return _untested("needs autoencoder among the codecs")
    return Verdict("holds" if point.value <= 1.5625 else "fails", point.value, None, "float32")


def _viable(codec: str, represent: str) -> Check:
    def check(points: Sequence[Point]) -> Verdict:
        point = _one(points, "update_cosine", codec=codec, represent=represent)
        viable = _one(points, "viable_score", codec=codec, represent=represent)
        if point is None or viable is None:
            return _untested("needs the AutoEncoder's certificate")
        why = str(viable.tags.get("why", ""))
        return Verdict("holds" if viable.value else "fails", point.value, None, why)

    return check


def _small_error(points: Sequence[Point]) -> Verdict:
    found = [
        point
        for point in find(points, "relative_error_ratio", codec="autoencoder")
        if point.value is not None
    ]
    if not found:
        return _untested("needs the AutoEncoder's certificate")
    worst = max(found, key=lambda point: float(point.value or 0))
    return Verdict(
        "holds" if float(worst.value or 0) < 0.05 else "fails",
        worst.value,
        None,
        f"worst of {len(found)}: factor {worst.tags['factor']} of {worst.tags['represent']}",
    )


def _denoises(points: Sequence[Point]) -> Verdict:
    found = [
        (float(point.tags["sigma"]), float(point.value))
        for point in find(points, "noise_error_ratio", codec="autoencoder", represent="delta")
        if point.value is not None
    ]
    copies = _one(points, "relative_error_ratio", codec="autoencoder", represent="delta")
    if len(found) < 2 or copies is None:
        return _untested("needs the AutoEncoder's certificate")
    low, high = min(found)[1], max(found)[1]
    note = f"relative squared error {low:.3g} at the least noise, {high:.3g} at the most"
    useful = high < 0.5
    if not useful:
        note += "; at or near 1 it says that nothing of the input is kept, with noise or without"
    return Verdict("holds" if useful and high <= 1.2 * low else "fails", high, None, note)


def _never_worse(points: Sequence[Point]) -> Verdict:
    guarded = [
        point
        for point in find(points, "loss_change_loss", epsilon=0.0)
        if point.tags["guarded"] and point.value is not None
    ]
    if not guarded:
        return _untested("needs codecs")
    worst = max(guarded, key=lambda point: float(point.value or 0))
    note = f"largest change of {len(guarded)} guarded federations: {worst.tags['arm']}"
    holds = float(worst.value or 0) <= 0
    return Verdict("holds" if holds else "fails", worst.value, None, note)


def _coupling(points: Sequence[Point]) -> Verdict:
    point = _one(points, "coupling_ratio")
    if point is None or point.value is None:
        return _untested("needs two initialisations, inits=2")
    note = f"{point.tags['n']} other initialisations"
    return Verdict(
        "holds" if point.value >= 1.2 else "fails", point.value, interval_of(point), note
    )


def _refused(points: Sequence[Point]) -> Verdict:
    point = _one(points, "refused_count")
    viable = _one(points, "viable_score", codec="autoencoder", represent="state")
    if point is None or viable is None:
        return _untested("needs the AutoEncoder on states, certify_states=true")
    note = "certificate: viable" if viable.value else "certificate: not viable"
    holds = bool(point.value) != bool(viable.value)
    return Verdict("holds" if holds else "fails", point.value, None, note)


def _hostile(points: Sequence[Point]) -> Verdict:
    sent, escaped = _one(points, "hostile_payloads_count"), _one(points, "escaped_payloads_count")
    if sent is None or escaped is None or not sent.value:
        return _untested("hostile_payloads is 0")
    note = f"{sent.value:,.0f} payloads"
    return Verdict("holds" if not escaped.value else "fails", escaped.value, None, note)


def _fast(points: Sequence[Point]) -> Verdict:
    found = [point for point in find(points, "codec_seconds") if point.value is not None]
    if not found:
        return _untested("needs codecs")
    worst = max(found, key=lambda point: float(point.value or 0))
    note = f"slowest of {len(found)}: {worst.tags['codec']}, one thread"
    holds = float(worst.value or 0) < 2.0
    return Verdict("holds" if holds else "fails", worst.value, None, note)


def _elsewhere(points: Sequence[Point]) -> Verdict:
    return Verdict(
        "not_tested",
        note="needs LLaMA-7B and a GPU: burnish run cg_fedllm --preset paper, then a harness with "
        "C-Eval and MMLU on the adapters it writes",
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "without-loss",
        "The AutoEncoder at 1/64 of the numbers compresses without loss: it recovers at least 0.95 "
        "of the fall in held-out loss that float32 gives (AutoEncoder of the paper on changes, "
        "with error feedback and gain)",
        f"{PAPER}, section 4",
        None,
        "of the loss drop",
        _recovers("autoencoder", LOSSLESS),
    ),
    Claim(
        "viable-on-changes",
        "The paper's AutoEncoder reproduces the changes of adapters it was not trained on "
        "(cosine at least 0.9, both factors' relative errors below 1, dependent on its input)",
        f"{PAPER}, table 1",
        None,
        "cosine of the update",
        _viable("autoencoder", "delta"),
    ),
    Claim(
        "viable-on-states",
        "The paper's AutoEncoder reproduces adapters it was not trained on well enough to train",
        f"{PAPER}, table 1",
        None,
        "cosine of the update",
        _viable("autoencoder", "state"),
    ),
    Claim(
        "small-error",
        "The reconstruction error is negligible: below 5 % of the energy of either factor, of "
        "changes and of states",
        f"{PAPER}, table 1",
        None,
        "of the energy",
        _small_error,
    ),
    Claim(
        "tolerates-noise",
        "The decoder removes noise: with noise of 400 times the updates' spread the error is as "
        "small as with 0.04 times",
        f"{PAPER}, noise table",
        None,
        "of the energy",
        _denoises,
    ),
    Claim(
        "latent-size",
        "The payload is 1/64 of the padded adapter",
        f"{PAPER}, section 3",
        1.56,
        "%",
        _payload,
    ),
    Claim(
        "accuracy",
        "Compressed fine-tuning beats centralised and uncompressed federated fine-tuning by about "
        "3 points of C-Eval",
        f"{PAPER}, section 4",
        3.0,
        "points",
        _elsewhere,
    ),
    Claim(
        "init-coupling",
        "A linear codec fitted under the federation's own LoRA initialisation keeps at least 1.2 "
        "times the cosine of one fitted under another",
        "burnish",
        None,
        "x",
        _coupling,
    ),
    Claim(
        "int8",
        "int8 recovers at least 0.95 of the loss drop of float32",
        "burnish",
        None,
        "of the loss drop",
        _recovers("int8", 0.95),
    ),
    Claim(
        "sign",
        "Signs with error feedback, 1/32 of the bytes, recover at least 0.6 of the loss drop",
        "burnish",
        None,
        "of the loss drop",
        _recovers("sign", 0.6),
    ),
    Claim(
        "masked-sign",
        "Masked signs with error feedback, 1/64 of the bytes, recover at least 0.3 of the loss "
        "drop",
        "burnish",
        None,
        "of the loss drop",
        _recovers("masked-sign", 0.3),
    ),
    Claim(
        "masked-sign-over-top-k",
        "At equal bytes masked signs recover at least twice what the largest numbers do (both with "
        "error feedback)",
        "burnish",
        None,
        "x",
        _twice_top_k,
    ),
    Claim(
        "never-worse",
        "With gain and error feedback no codec leaves the held-out loss above where it began",
        "burnish",
        None,
        "nats",
        _never_worse,
    ),
    Claim(
        "refuses",
        "A codec whose certificate says that it loses the updates is refused, unless it is guarded",
        "burnish",
        None,
        "refusals",
        _refused,
    ),
    Claim(
        "encodes-fast",
        "Encoding and decoding an adapter takes less than 2 s with any codec (kseed: of the "
        "zeroth-order updates it is made for)",
        "burnish",
        None,
        "s",
        _fast,
    ),
    Claim(
        "withstands",
        "No damaged payload gets through the server's checks or does more than cost its sender "
        "the round",
        "burnish",
        0.0,
        "payloads",
        _hostile,
    ),
)
