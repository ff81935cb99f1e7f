"""Each job of a run: train, explain, identify, repair, audit."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from burnish.errors import DataError
from burnish.evidence.intervals import Interval
from burnish.methods.nlpguard.aggregation import Ranking, WordTable, rankable
from burnish.methods.nlpguard.annotation import CATEGORIES, Protected, key
from burnish.methods.nlpguard.arms import (
    HEADLINES,
    NONE,
    Agree,
    Arm,
    Cost,
    Iterate,
    Job,
    Plant,
    Race,
)
from burnish.methods.nlpguard.auditing import (
    WordReliance,
    sensitivity,
    substitutes,
    table_reliance,
)
from burnish.methods.nlpguard.classifier import Classifier
from burnish.methods.nlpguard.config import KindName, NlpguardConfig
from burnish.methods.nlpguard.explaining import Explained, explain_corpus
from burnish.methods.nlpguard.ground import (
    Ground,
    encoder_settings,
    ground_of,
    lexicon_of,
    matcher_of,
    swapped,
)
from burnish.methods.nlpguard.guarding import Reliance, guard
from burnish.methods.nlpguard.hf import HfClassifier
from burnish.methods.nlpguard.identifying import by_label, identify, known_words, top_words
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.mitigators import (
    ConceptErasure,
    Editing,
    Erased,
    ExplanationRegularisation,
    Mitigation,
    Mitigator,
    Reweighing,
    Unaware,
    Unawareness,
)
from burnish.methods.nlpguard.mitigators.editing import Moment
from burnish.methods.nlpguard.mitigators.erasing import Embedding
from burnish.methods.nlpguard.moderating import MitigationError, moderate
from burnish.methods.nlpguard.neighbours import WordVectors, of_model, of_texts
from burnish.methods.nlpguard.opening import explainer_of
from burnish.methods.nlpguard.performance import answers
from burnish.methods.nlpguard.proxying import predictability, proxies
from burnish.methods.nlpguard.racing import race
from burnish.methods.nlpguard.rewriting import equipped
from burnish.methods.nlpguard.rows import Rows
from burnish.methods.nlpguard.strategies.removal import WordRemoval
from burnish.methods.nlpguard.training import Trained, TrainedEncoder, train
from burnish.models.heads import fresh_head
from burnish.runs.jobs import leave, read_result
from burnish.runs.machine import peak_mb
from burnish.training import derive

PLANTED = "zorblat"
"""A word of no language, which a class is made to depend on."""
_PLANTED_SHARE = 0.8
_SHOWN = 25  # words of a list that results keep
_FEWER = (10, 25, 50)  # words of a list, beside N
_PROXIES = 5  # of each category
_LEDGER = 12  # edits that results keep
_FEWEST = 15  # texts with, and without, a category for a probe to be fitted


def do(config: NlpguardConfig, seed: int, home: Path, job: Job) -> dict[str, Any]:
    """Do one job; what it found, as JSON has it."""
    if isinstance(job, Arm):
        return _arm(config, seed, home, job)
    if isinstance(job, Plant):
        return _plant(config, seed, job)
    if isinstance(job, Iterate):
        return _iterate(config, seed)
    if isinstance(job, Race):
        return race(config, seed)
    if isinstance(job, Cost):
        return _cost(config, seed, job)
    return _agree(config, seed, home, job)


def answers_file(home: Path, arm: Arm) -> Path:
    """Where an arm keeps its answers to the test texts."""
    return home / f"{arm.key}.npz"


def _arm(config: NlpguardConfig, seed: int, home: Path, arm: Arm) -> dict[str, Any]:
    ground = ground_of(config, seed, arm.number, arm.kind)
    words = _words_of(home, arm)
    begun = time.perf_counter()
    made, refused = _mitigation(config, seed, home, ground, arm, words)
    try:
        trained = _trained(config, seed, ground, arm.kind, made, arm.number)
    except DataError as error:  # of so few rows that there is nothing to train
        return {**_edited(ground, made, words), "refused": refused, "untrained": str(error)}
    classifier = made.wrap(trained) if made.wrap else trained
    training = time.perf_counter() - begun
    begun = time.perf_counter()
    explained = _explained(config, ground, trained, classifier)
    explaining = time.perf_counter() - begun
    table = explained.sums.table()
    protected = identify(table, lexicon_of(), config.top, ground.test)
    known = _known(table, protected, config.top)
    reliance = table_reliance(table, known, config.top)
    found = answers(classifier, ground.test, ground.labels, ground.items)
    path = answers_file(home, arm)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, items=found.items, labels=found.labels, probabilities=found.probabilities)
    return {
        **_reliance(reliance, table),
        "base_share": _base(table),
        "shares_of_fewer": {
            str(count): table_reliance(table, known, count).pa
            for count in _FEWER
            if count < config.top
        },
        **_sensitivity(config, seed, classifier, ground),
        **_edited(ground, made, words),
        **_probes(ground, classifier),
        "protected": dict(protected),
        "protected_by_class": _by_class(protected, table, config.top, ground),
        "undecided": sorted(protected.undecided),
        "substitutes": {k: list(v) for k, v in substitutes(reliance, words).items()},
        "explained": explained.explained,
        "skipped": len(explained.skipped),
        "unpredicted": [name for name in ground.classes if not explained.predicted.get(name)],
        "incomplete": explained.incomplete,
        "refused": refused,
        "training_seconds": training,
        "explaining_seconds": explaining,
    }


def _cost(config: NlpguardConfig, seed: int, job: Cost) -> dict[str, Any]:
    """Seconds and memory of training, explaining, moderating, training again and auditing."""
    begun = time.perf_counter()
    with TemporaryDirectory() as folder:
        home = Path(folder)
        for mitigation in (NONE, HEADLINES[0]):
            arm = Arm(job.kind, mitigation, 0)
            leave(arm, lambda each: _arm(config, seed, home, each), home)
    return {"seconds": time.perf_counter() - begun, "peak_mb": peak_mb()}


def _words_of(home: Path, arm: Arm) -> dict[str, str]:
    """Protected words that the classifier leaned on as it was; none for itself."""
    if arm.mitigation == NONE:
        return {}
    found: dict[str, str] = read_result(home, Arm(arm.kind, NONE, arm.number).key)["protected"]
    return found


def _by_class(
    protected: Protected, table: WordTable, count: int, ground: Ground
) -> dict[str, dict[str, str]]:
    found = by_label(protected, table, count, range(len(ground.classes)))
    return {ground.classes[label]: dict(words) for label, words in found.items()}


def _own_words(home: Path, arm: Arm, ground: Ground) -> dict[int, Protected]:
    """By label of the training rows, the words that drove its class."""
    found = read_result(home, Arm(arm.kind, NONE, arm.number).key)["protected_by_class"]
    there = set(ground.targets)
    return {
        label: Protected(found[name]) for label, name in enumerate(ground.classes) if label in there
    }


def _mitigation(
    config: NlpguardConfig,
    seed: int,
    home: Path,
    ground: Ground,
    arm: Arm,
    words: dict[str, str],
) -> tuple[Mitigation, str]:
    """What is done otherwise, and why it was refused before it was allowed to lose rows."""
    if arm.mitigation == NONE:
        return Mitigation(), ""
    protected = Protected(words)
    matcher = Matcher(known_words(lexicon_of(), words))
    make = partial(_mitigator, config, seed, home, ground, arm, words)
    try:
        return make(allow_loss=False).fit(ground.train, protected, matcher), ""
    except MitigationError as error:
        return make(allow_loss=True).fit(ground.train, protected, matcher), str(error)


def _mitigator(
    config: NlpguardConfig,
    seed: int,
    home: Path,
    ground: Ground,
    arm: Arm,
    words: dict[str, str],
    *,
    allow_loss: bool,
) -> Mitigator:
    name = arm.mitigation
    own = derive(seed, "mitigate", arm.number) % 2**32
    if name == "reweighing":
        return Reweighing()
    if name in ("unawareness", "word_removal_both"):
        moment: Moment = "inference" if name == "unawareness" else "both"
        return Unawareness(moment, allow_loss=allow_loss)
    if name in ("inlp", "leace"):
        return ConceptErasure("inlp" if name == "inlp" else "leace", seed=own)
    if name == "explanation_regularisation":
        plain = _plain_encoder(config)
        return ExplanationRegularisation(plain.tokenizer, config.regularisation)
    kept = name == "word_variants_kept"
    made = equipped(
        "word_variants" if kept else name,
        known_words(lexicon_of(), words),
        lexicon_of(),
        lambda: _neighbours(config, ground, arm.kind),
        k=config.neighbours,
        strict=not kept,
    )
    own_words = _own_words(home, arm, ground) if config.per_class else None
    return Editing(made, by_label=own_words, seed=own, allow_loss=allow_loss)


def _neighbours(config: NlpguardConfig, ground: Ground, kind: KindName) -> WordVectors:
    """From the encoder before it is fine-tuned, or from the texts of a linear model."""
    if kind == "linear":
        return of_texts(ground.train.texts)
    plain = _plain_encoder(config)
    return of_model(plain.model, plain.tokenizer)


def _plain_encoder(config: NlpguardConfig) -> TrainedEncoder:
    names = ("0", "1")  # the head is not used
    loaded = fresh_head(config.encoder, "classification", torch.Generator(), labels=names)
    return TrainedEncoder(loaded.model, loaded.tokenizer, names)


def _trained(
    config: NlpguardConfig,
    seed: int,
    ground: Ground,
    kind: KindName,
    made: Mitigation,
    number: int,
) -> Trained:
    if made.data is not None and not made.data.rows_after:
        raise DataError("no training row is left; take back some of the edits")
    rows = ground.train if made.data is None else Rows.of(made.data.data)
    return train(
        kind,
        rows.texts,
        [int(label) for label in rows.labels],
        ground.classes,
        derive(seed, "train", number) % 2**31,
        weights=None if made.weights is None else made.weights.weights,
        penalty=made.penalty,
        encoder=encoder_settings(config),
    )


def _explained(
    config: NlpguardConfig,
    ground: Ground,
    trained: Trained,
    classifier: Classifier,
) -> Explained:
    """The test texts explained as the classifier reads them, repaired or not."""
    texts = list(ground.test)
    if isinstance(trained, TrainedEncoder) and config.encoder_texts:
        texts = texts[:: max(1, len(texts) // config.encoder_texts)][: config.encoder_texts]
    own: Classifier = trained.classifier
    if isinstance(classifier, Erased) and isinstance(trained, TrainedEncoder):
        own = HfClassifier(
            classifier.model(trained.model),
            trained.tokenizer,
            trained.classes,
            max_length=trained.max_length,
        )
    elif isinstance(classifier, Unaware):
        texts = classifier.shown(texts)
    explainer = explainer_of(
        own, config.explainer, steps=config.steps or "auto", granularity=config.granularity
    )
    with warnings.catch_warnings():  # the result tells of classes that nothing is predicted of
        warnings.filterwarnings("ignore", message="no text is predicted to be of class")
        return explain_corpus(own, explainer, texts)


def _known(table: WordTable, protected: Protected, count: int) -> dict[str, str]:
    """Protected words by what was decided on the lists, and by the lexicon beyond them."""
    return known_words(lexicon_of(), protected, top_words(table, count))


def _reliance(found: WordReliance, table: WordTable) -> dict[str, Any]:
    scores = {
        label: dict(zip(own["word"], own["mean"], strict=True))
        for label, own in ((label, table.of(label)) for label in found.top)
    }
    return {
        "shares": {
            label: {"protected": one.protected, "listed": one.listed}
            for label, one in found.shares.items()
        },
        "mass": dict(found.mass),
        "top": {
            label: [
                [word, found.identified.get(key(word), ""), scores[label][word]]
                for word in words[:_SHOWN]
            ]
            for label, words in found.top.items()
        },
    }


def _base(table: WordTable) -> float | None:
    """Of all words that could be listed, those the lexicon knows: PA@N of lists made blindly."""
    words = table.frame.loc[rankable(table.frame, Ranking()), "word"]
    known = {key(term) for term in lexicon_of().terms}
    return float(np.mean([key(word) in known for word in words])) if len(words) else None


def _interval(found: Interval | None) -> list[float] | None:
    return None if found is None else [found.estimate, found.low, found.high]


def _sensitivity(
    config: NlpguardConfig, seed: int, classifier: Classifier, ground: Ground
) -> dict[str, Any]:
    found = sensitivity(
        classifier,
        ground.test,
        lambda texts, own: swapped(list(texts), own),
        swaps=config.swaps,
        seed=derive(seed, "swaps") % 2**31,
    )
    return {
        "flip_rate": _interval(found.flip_rate),
        "gap": _interval(found.gap),
        "swapped_texts": found.swapped,
    }


def _edited(ground: Ground, made: Mitigation, words: dict[str, str]) -> dict[str, Any]:
    """What became of the training texts, and what in them still tells of a category."""
    before = len(ground.train)
    found: dict[str, Any] = {
        "rows_before": before,
        "rows_after": before if made.data is None else made.data.rows_after,
        "words": len(words),
    }
    if made.data is not None:
        ledger = made.data.ledger
        found["changed"], found["lost"] = made.data.changed, made.data.lost
        found["notes"] = list(made.data.notes)
        found["edits"] = dict(Counter(edit.category for edit in ledger.edits))
        found["ledger"] = [list(edit) for edit in ledger.edits[:_LEDGER]]
        found["replays"] = ledger.replay(ground.train) == made.data.data
        found["proxies"], found["predictability"] = _left(ground, made)
    return found


def _left(ground: Ground, made: Mitigation) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Proxies that no lexicon lists, in rows that stayed one to one; nothing of other edits."""
    if made.data is None or made.data.rows_after != len(ground.train):
        return [], {}
    presence = matcher_of().presence(ground.train.texts)
    texts = Rows.of(made.data.data).texts
    listed = {key(term) for term in lexicon_of().terms}
    told = [asdict(one) for one in proxies(texts, presence, most=_PROXIES, exclude=listed)]
    return [proxy for proxy in told if proxy["significant"]], dict(predictability(texts, presence))


def _probes(ground: Ground, classifier: Classifier) -> dict[str, Any]:
    """How well a linear probe on the classifier's vectors tells each category, on test texts."""
    if not isinstance(classifier, Embedding):
        return {}
    train_texts, test_texts = list(ground.train.texts), list(ground.test)
    present = [matcher_of().presence(texts) for texts in (train_texts, test_texts)]
    embedded = [classifier.embed(texts).astype(np.float64) for texts in (train_texts, test_texts)]
    found = {}
    for place, category in enumerate(CATEGORIES):
        known, asked = (rows[:, place] for rows in present)
        if min(known.sum(), (~known).sum()) < _FEWEST or len(np.unique(asked)) < 2:
            continue
        probe = LogisticRegression(max_iter=2000).fit(embedded[0], known)
        majority = float(max(asked.mean(), 1 - asked.mean()))
        found[category] = [float(probe.score(embedded[1], asked)), majority]
    return {"probes": found}


def _plant(config: NlpguardConfig, seed: int, job: Plant) -> dict[str, Any]:
    """Rank and mass of a planted word before and after MS2."""
    ground = ground_of(config, seed, 0, job.kind)
    draw = np.random.default_rng(derive(seed, "plant"))
    planted = _with_word(ground, draw)
    found: dict[str, Any] = {}
    for name in ("before", "after"):
        rows = planted.train
        if name == "after":
            words = Protected({PLANTED: CATEGORIES[0]})
            rows = Rows.of(moderate(planted.train, words, WordRemoval()).data)
        trained = train(
            job.kind,
            rows.texts,
            [int(label) for label in rows.labels],
            planted.classes,
            derive(seed, "plant", job.kind) % 2**31,
            encoder=encoder_settings(config),
        )
        explained = _explained(config, planted, trained, trained)
        own = explained.sums.table().of(planted.classes[0])
        row = own[own["word"] == PLANTED]
        held = (own["n"] * own["mean"]).clip(lower=0)
        shrunk = explained.sums.table(Ranking(by_shrunk=True)).of(planted.classes[0])
        found[name] = {
            "rank": int(row["rank"].iloc[0]) if len(row) else 0,
            "shrunk_rank": int(shrunk.loc[shrunk["word"] == PLANTED, "rank"].sum()),
            "mass": float(held[row.index].sum() / held.sum()) if held.sum() else 0.0,
        }
    return found


def _with_word(ground: Ground, draw: np.random.Generator) -> Ground:
    """The planted word at the beginning of most texts of the first class."""

    def with_word(text: str, label: int) -> str:
        return f"{PLANTED} {text}" if label == 0 and draw.random() < _PLANTED_SHARE else text

    pairs = zip(ground.train.texts, ground.targets, strict=True)
    rows = [{"text": with_word(text, label), "label": label} for text, label in pairs]
    test = tuple(
        with_word(text, int(label)) for text, label in zip(ground.test, ground.labels, strict=True)
    )
    return Ground(ground.classes, Rows.of(rows), test, ground.labels, ground.items, ground.note)


def _iterate(config: NlpguardConfig, seed: int) -> dict[str, Any]:
    """The iterative guard on the linear model."""
    ground = ground_of(config, seed, 0, "linear")

    def fit(rows: Rows) -> Trained:
        targets = [int(label) for label in rows.labels]
        return train("linear", rows.texts, targets, ground.classes, seed % 2**31)

    def measure(trained: Trained) -> Reliance:
        table = _explained(config, ground, trained, trained).sums.table()
        protected = identify(table, lexicon_of(), config.top, ground.test)
        found = table_reliance(table, _known(table, protected, config.top), config.top)
        own = answers(trained, ground.test, ground.labels)
        accuracy = float((own.predicted == own.labels).mean())
        return Reliance(found.pa or 0.0, accuracy, protected)

    def mitigate(rows: Rows, words: Protected) -> Rows:
        return Rows.of(moderate(rows, words, WordRemoval()).data)

    done = guard(
        ground.train,
        train=fit,
        measure=measure,
        mitigate=mitigate,
        most_share=0.01,
        most_loss=0.05,
        most_rounds=config.guard_rounds,
    )
    return {
        "end": done.end,
        "chosen": done.chosen,
        "shares": [each.reliance.share for each in done.rounds],
        "accuracies": [each.reliance.accuracy for each in done.rounds],
        "words": [len(each.mitigated) for each in done.rounds],
    }


def _agree(config: NlpguardConfig, seed: int, home: Path, job: Agree) -> dict[str, Any]:
    """A language model beside the lexicon, on words of the top lists."""
    from burnish.chat import connect
    from burnish.methods.nlpguard.llm_annotator import LLMAnnotator
    from burnish.methods.nlpguard.voting import VoteAnnotator, agreement

    lists = read_result(home, Arm(job.kind, NONE, 0).key)["top"]
    words = sorted({word for listed in lists.values() for word, *_ in listed})
    draw = np.random.default_rng(derive(seed, "asked"))
    asked = sorted(draw.permutation(words)[: config.llm_words].tolist())
    model = LLMAnnotator(connect(config.llm), repeats=1, cache=home / "llm-answers.jsonl")
    voted = VoteAnnotator([model, lexicon_of()]).annotate(asked)
    raters = ("model", "lexicon")
    cohen = {
        between: agreement(voted, raters, seed=seed % 2**32, between=between).cohen[raters]
        for between in ("categories", "protected")
    }
    return {
        "words": len(asked),
        "parsed_share": model.tally.parsed_share,
        "undecided": model.tally.undecided,
        "cohen": {between: _interval(found) for between, found in cohen.items()},
    }
