"""Explain, identify, moderate, audit as one object; each step gives what the next one takes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

import burnish
from burnish.errors import UsageError
from burnish.gradients.integrated import Steps
from burnish.methods.nlpguard.aggregation import WordTable
from burnish.methods.nlpguard.annotation import Annotator, Protected, key
from burnish.methods.nlpguard.assessing import Assessed, Instruments, Tested, assess, differences
from burnish.methods.nlpguard.auditing import POOLED, substitutes
from burnish.methods.nlpguard.classifier import Classifier
from burnish.methods.nlpguard.explaining import Checkpoint, Explained, explain_corpus
from burnish.methods.nlpguard.identifying import identify
from burnish.methods.nlpguard.lexicon import Lexicon
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.moderating import MitigatedData, Strategy
from burnish.methods.nlpguard.opening import (
    ExplainerName,
    MakeExplainer,
    classifier_of,
    explainer_of,
)
from burnish.methods.nlpguard.proxying import predictability, proxies
from burnish.methods.nlpguard.report_files import AuditReport
from burnish.methods.nlpguard.rewriting import rewrite
from burnish.methods.nlpguard.rows import Rows
from burnish.methods.nlpguard.training import class_indices
from burnish.methods.nlpguard.words import Granularity

Advance = Callable[[int], None]
_SHARD = 250  # texts between two signs of progress, and what a kill can cost: a minute of BERT's


class Guard:
    """A text classifier, and how its reliance on protected words is found, cut and shown.

    Args:
        model: as in `classifier_of`: transformers, scikit-learn, a folder, an asset or a hub id.
        tokenizer: of a module.
        classes: names by column, where the model has none.
        explainer: as in `explainer_of`.
        annotator: says what a word is; None takes the lexicon of the Equality Act 2010.
        top_n: words of each class that count as driving it, N.
        granularity: "word", or "token" as in the authors' code.
        max_length: tokens of a text, for transformers.
        seed: of whatever is drawn.

    Raises:
        UsageError: no such model or explainer, or N is not positive.

    Source: NLPGuard, arXiv 2407.01697. Departure: each step returns its result, where the authors'
    initialiser returns nothing although their guide chains it.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase | None = None,
        *,
        classes: Sequence[str] | None = None,
        explainer: ExplainerName | MakeExplainer = "auto",
        annotator: Annotator | None = None,
        top_n: int = 400,
        granularity: Granularity = "word",
        max_length: int = 128,
        seed: int = 0,
    ) -> None:
        if top_n < 1:
            raise UsageError(f"top_n counts words and is at least 1, got {top_n}")
        self._open: Callable[[Any], Classifier] = partial(
            classifier_of, tokenizer=tokenizer, classes=classes, max_length=max_length
        )
        self.classifier: Classifier = self._open(model)
        self.annotator: Annotator = Lexicon() if annotator is None else annotator
        self.lexicon = self.annotator if isinstance(self.annotator, Lexicon) else Lexicon()
        self.top_n, self.seed = top_n, seed
        self._explainer: ExplainerName | MakeExplainer = explainer
        self._granularity: Granularity = granularity
        self.explainer_name = explainer_of(self.classifier, explainer).name

    def explain(
        self,
        texts: Sequence[str],
        *,
        classes: Sequence[str] | None = None,
        batch_size: int | None = None,
        steps: Steps = "auto",
        checkpoint: str | PathLike[str] | None = None,
    ) -> WordTable:
        """The words that speak for each class, ranked; see `explained` for what was left out.

        Warns:
            UserWarning: texts were skipped, with their count and the first reason; or a class has
                no texts.
        """
        found = self.explained(
            texts, classes=classes, batch_size=batch_size, steps=steps, checkpoint=checkpoint
        )
        if found.skipped:
            warnings.warn(
                f"{len(found.skipped)} of {len(texts)} texts could not be explained, the first, "
                f"row {found.skipped[0].row}, because {found.skipped[0].reason}",
                stacklevel=2,
            )
        return found.sums.table()

    def explained(
        self,
        texts: Sequence[str],
        *,
        classes: Sequence[str] | None = None,
        batch_size: int | None = None,
        steps: Steps = "auto",
        checkpoint: str | PathLike[str] | None = None,
        advance: Advance | None = None,
    ) -> Explained:
        """Every text explained for its predicted class, and its words added up.

        Args:
            texts: a corpus without labels.
            classes: explain texts of these predicted classes alone.
            batch_size: texts of the longest length in one pass of Integrated Gradients.
            steps: of Integrated Gradients; "auto" doubles 8 to 64 until the completeness error is
                below 2 %.
            checkpoint: a folder for finished parts, which are not explained again.
            advance: told of texts as they are done.

        Raises:
            UsageError: no texts, no such class, or a checkpoint of a model without `identity`.
        """
        return self._explained(
            self.classifier,
            texts,
            classes=classes,
            batch_size=batch_size,
            steps=steps,
            checkpoint=checkpoint,
            advance=advance,
        )

    def identify(self, table: WordTable, texts: Sequence[str] = ()) -> Protected:
        """The protected words among the most predictive; `.override` corrects it.

        Args:
            table: that `explain` gave.
            texts: with them, ambiguous words are judged where they stand.
        """
        return identify(table, self.annotator, self.top_n, texts)

    def moderate(
        self,
        train: Any,
        protected: Protected | Mapping[Any, Protected],
        strategy: str | Strategy = "word_removal",
        *,
        text: str = "text",
        label: str = "label",
        per_class: bool = False,
        table: WordTable | None = None,
        k: int = 5,
        strict: bool = True,
        allow_loss: bool = False,
    ) -> MitigatedData:
        """The training rows rewritten, and a ledger of every edit; `train` itself stays as it is.

        Args:
            train: dicts, a DataFrame or a `datasets.Dataset`.
            protected: that `identify` gave.
            strategy: a name of `STRATEGIES`, or a strategy. Neighbours of MS3 and MS4 come from
                the model's own word vectors, or for other models from the texts.
            text: column of `train`.
            label: column of `train`.
            per_class: edit each row only for the words that drive its own class.
            table: which words drive which class; `per_class` needs it.
            k: neighbours and variants of MS3 and MS4.
            strict: put in no word that is protected itself, and keep no original.
            allow_loss: whether a class may end empty, and more than 30 % of the rows be lost.

        Raises:
            UsageError, DataError, MitigationError: as `burnish.methods.nlpguard.moderate`.
        """
        if per_class and (table is None or not isinstance(protected, Protected)):
            raise UsageError(
                "per_class takes the words of `identify` and the table they came from; give "
                "table=, or give the words by label"
            )
        return rewrite(
            train,
            protected,
            strategy,
            lexicon=self.lexicon,
            classifier=self.classifier,
            table=table if per_class else None,
            top_n=self.top_n,
            text=text,
            label=label,
            k=k,
            strict=strict,
            seed=self.seed,
            allow_loss=allow_loss,
        )

    def audit(
        self,
        before: Any = None,
        after: Any = None,
        texts: Sequence[str] = (),
        test: Any = None,
        *,
        text: str = "text",
        label: str = "label",
        protected: Protected | None = None,
        mitigated: MitigatedData | None = None,
        train: Any = None,
        swaps: int = 3,
        steps: Steps = "auto",
        checkpoint: str | PathLike[str] | None = None,
        advance: Advance | None = None,
        title: str = "Reliance on protected words",
    ) -> AuditReport:
        """One classifier, or two, measured on the same unedited texts.

        Args:
            before: as `model` of this class; None is this guard's own.
            after: the mitigated one, identified anew on its own lists; None audits one alone.
            texts: the corpus that is explained; without it the test texts are.
            test: labelled rows that none was trained on; without them accuracy, F1 and AUC are
                left out. Labels are names of classes or their indices.
            text: column of `test` and `train`.
            label: column of `test`.
            protected: whose overrides are made again.
            mitigated: what `moderate` gave, for its ledger and notes.
            train: rows before the edit; with `mitigated`, what is left is searched for proxies.
            swaps: counterfactuals of each text.
            steps: as in `explained`.
            checkpoint: likewise; one folder serves both classifiers.
            advance: likewise.
            title: of the report.

        Raises:
            UsageError: neither texts nor test, two classifiers with different classes, or a class
                called "all classes".
            DataError: a column is missing, or a label is no class.
        """
        one = self.classifier if before is None else self._open(before)
        other = None if after is None else self._open(after)
        if other is not None and other.classes != one.classes:
            raise UsageError(f"the classifiers differ in classes: {one.classes}, {other.classes}")
        if POOLED in one.classes:
            raise UsageError(
                f"an audit calls all classes together {POOLED!r}, and one has that name; rename it "
                "in the model's config.json (id2label), or give classes="
            )
        tested = None if test is None else _tested(test, text, label, one.classes)
        corpus = list(texts) or ([] if tested is None else list(tested.texts))
        overrides = () if protected is None else protected.overrides
        tools = Instruments(
            explain=lambda classifier, some: self._explained(
                classifier, some, steps=steps, checkpoint=checkpoint, advance=advance
            ),
            annotator=self.annotator,
            lexicon=self.lexicon,
            count=self.top_n,
            overrides=overrides,
            swaps=swaps,
            seed=self.seed,
        )
        first = assess(one, corpus, tested, tools)
        second = None if other is None else assess(other, corpus, tested, tools)
        report = AuditReport(
            title=title,
            settings=self._settings(corpus, tested, swaps),
            before=first.side,
            after=None if second is None else second.side,
            difference={} if second is None else differences(first, second, self.seed),
            notes=_notes(first, second),
        )
        if second is not None:
            edited = first.side.reliance.identified if protected is None else protected
            report = replace(report, substitutes=substitutes(second.side.reliance, edited))
        return report if mitigated is None else self._with_edits(report, mitigated, train, text)

    def _explained(
        self,
        classifier: Classifier,
        texts: Sequence[str],
        *,
        classes: Sequence[str] | None = None,
        batch_size: int | None = None,
        steps: Steps = "auto",
        checkpoint: str | PathLike[str] | None = None,
        advance: Advance | None = None,
    ) -> Explained:
        if isinstance(texts, str):
            raise UsageError("texts are a sequence of strings, got one string; put it in a list")
        explainer = explainer_of(
            classifier,
            self._explainer,
            steps=steps,
            granularity=self._granularity,
            batch_size=batch_size,
        )
        kept = None
        if checkpoint is not None:
            identity = getattr(classifier, "identity", None)
            if identity is None:
                raise UsageError(
                    f"a checkpoint needs to tell models apart, and a {type(classifier).__name__} "
                    "has no identity(); leave the checkpoint out"
                )
            how = f"{identity()} {steps} {self._granularity}"
            kept = Checkpoint(Path(checkpoint), how)
        return explain_corpus(
            classifier,
            explainer,
            list(texts),
            classes=classes,
            shard_size=_SHARD,
            checkpoint=kept,
            advance=advance,
        )

    def _settings(
        self, corpus: Sequence[str], tested: Tested | None, swaps: int
    ) -> dict[str, str | int]:
        return {
            "explainer": self.explainer_name,
            "granularity": self._granularity,
            "annotator": _name(self.annotator),
            "words of each class (N)": self.top_n,
            "texts explained": len(corpus),
            "test texts": 0 if tested is None else len(tested.texts),
            "swaps of a text": swaps,
            "seed": self.seed,
            "burnish": burnish.__version__,
        }

    def _with_edits(
        self, report: AuditReport, mitigated: MitigatedData, train: Any, text: str
    ) -> AuditReport:
        report = replace(
            report,
            rows=(mitigated.rows_before, mitigated.rows_after),
            ledger=mitigated.ledger,
            notes=(*report.notes, *mitigated.notes),
        )
        if train is None or mitigated.rows_before != mitigated.rows_after:
            return report
        old = Rows.of(train, text=text, label=None).texts
        new = Rows.of(mitigated.data, text=text, label=None).texts
        presence = Matcher(self.lexicon.terms).presence(old)
        before = replace(report.before, predictability=predictability(old, presence))
        listed = {key(term) for term in self.lexicon.terms}
        told = replace(report, before=before, proxies=proxies(new, presence, exclude=listed))
        if report.after is None:
            return told
        return replace(
            told, after=replace(report.after, predictability=predictability(new, presence))
        )


def _tested(test: Any, text: str, label: str, classes: Sequence[str]) -> Tested:
    rows = Rows.of(test, text=text, label=label)
    return Tested(rows.texts, class_indices(rows.labels, classes))


def _notes(first: Assessed, second: Assessed | None) -> tuple[str, ...]:
    if second is None:
        return first.notes
    return (
        *(f"before: {note}" for note in first.notes),
        *(f"after: {note}" for note in second.notes),
    )


def _name(annotator: Annotator) -> str:
    named = getattr(annotator, "name", None) or getattr(annotator, "identity", None)
    return named if isinstance(named, str) else type(annotator).__name__
