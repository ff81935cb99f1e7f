"""`burnish nlpguard VERB`: parses, calls the library, shows.

Protected words and texts go into the files that were asked for, never into what is printed.
"""

from __future__ import annotations

import shlex
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from burnish.console import options, say
from burnish.errors import BurnishError, Interrupted, UsageError

if TYPE_CHECKING:
    from burnish.methods.nlpguard.annotation import Annotation, Annotator
    from burnish.methods.nlpguard.guard_class import Guard
    from burnish.methods.nlpguard.labelled_files import LabelledFile
    from burnish.methods.nlpguard.ledger import Ledger
    from burnish.methods.nlpguard.moderating import MitigatedData

_EXPLAINERS = ("auto", "ig", "shap", "occlusion")
_STRATEGIES = (
    "document_removal",
    "sentence_removal",
    "word_removal",
    "word_replacement",
    "word_variants",
    "hypernym",
    "mask",
    "cda",
    "cds",
)


class CheckFailed(BurnishError):
    """The work was done, and a check that was asked for did not hold."""

    exit_code = 3  # 1 and 2 say that there is no result to look at


_as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output."
)
_seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
                     help="Of every draw.")  # fmt: skip
_text = options(
    click.option("--text", default="text", show_default=True, help="Column of the text."),
    click.option("--split", help="Of a hub data set, or of a saved one with parts."),
)
_label = click.option("--label", default="label", show_default=True, help="Column of the label.")
_top = click.option("--top", type=click.IntRange(min=1), default=400, show_default=True,
                    help="Words of each class that count as driving it.")  # fmt: skip
_lexicon = click.option("--lexicon", default="equality-act-2010", show_default=True,
                        metavar="NAME|FILE.tsv", help="Names the protected words.")  # fmt: skip
_explainer = options(
    click.option("--explainer", type=click.Choice(_EXPLAINERS), default="auto", show_default=True,
                 help="auto is exact for linear models, Integrated Gradients where there are "
                 "gradients, else occlusion."),
    click.option("--steps", type=click.IntRange(min=1), help="Of Integrated Gradients.  [default: "
                 "doubled from 8 to 64 until complete to 2 %]"),
    click.option("--granularity", type=click.Choice(["word", "token"]), default="word",
                 show_default=True, help="What is scored."),
    click.option("--max-length", type=click.IntRange(min=3), default=128, show_default=True,
                 help="Tokens of a text that a transformer reads."),
    click.option("--checkpoint", type=click.Path(path_type=Path, file_okay=False),
                 help="A folder for finished parts; the same command goes on from there."),
)  # fmt: skip
_overwrite = click.option("--overwrite", is_flag=True, help="Replace files that are there already.")
_file = click.Path(path_type=Path, exists=True, dir_okay=False)
_new_file = click.Path(path_type=Path, dir_okay=False)
_new_folder = click.Path(path_type=Path, file_okay=False)


@click.group()
def nlpguard() -> None:
    """NLPGuard: find, name and remove a text classifier's reliance on protected words.

    MODEL is a folder, asset or hub id of a sequence classifier of transformers, or a folder with a
    linear model of burnish. DATA is CSV, TSV, JSON Lines, JSON or Parquet, a folder of
    datasets.save_to_disk or a hub id.
    """


@nlpguard.command()
@click.argument("model")
@click.argument("data")
@_text
@_explainer
@click.option("--class", "classes", multiple=True,
              help="Only texts predicted to be of it; may be given again.")  # fmt: skip
@click.option("-o", "--out", required=True, type=_new_file,
              help="The table to write, e.g. table.parquet.")  # fmt: skip
@_overwrite
@_as_json
def explain(
    model: str,
    data: str,
    text: str,
    split: str | None,
    classes: tuple[str, ...],
    checkpoint: Path | None,
    steps: int | None,
    out: Path,
    overwrite: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Explain what MODEL says of the texts of DATA, and rank the words of each class.

    No labels are needed. OUT has a row for each class and word: occurrences, mean score with its
    95 % interval, and the rank.
    """
    from burnish.methods.nlpguard.fresh_files import check_free, written
    from burnish.runs.progress import progress

    if out.suffix.lower() != ".parquet":
        raise UsageError(f"the table is a Parquet file, {out.with_suffix('.parquet')}; got {out}")
    check_free([out], read=[data], overwrite=overwrite)
    texts = [row["text"] for row in _read(data, text, None, split).rows]
    guard = _guard(model, settings)

    with _told(), progress(len(texts), "texts") as bar:
        found = _going_on(
            lambda: guard.explained(
                texts,
                classes=classes or None,
                steps=steps or "auto",
                checkpoint=checkpoint,
                advance=bar.advance,
            ),
            kept=checkpoint is not None,
        )
    table = found.sums.table()
    with written(out) as half:
        table.to_parquet(half)
    ranked = {name: int((table.of(name)["rank"] > 0).sum()) for name in table.classes}
    if found.skipped:
        rows = ", ".join(str(each.row) for each in found.skipped[:10])
        click.echo(
            f"warning: {len(found.skipped)} texts were skipped, the first {rows}: "
            f"{found.skipped[0].reason}",
            err=True,
        )
    told = {
        "out": str(out),
        "explainer": guard.explainer_name,
        "explained": found.explained,
        "skipped": [list(each) for each in found.skipped],
        "incomplete": found.incomplete,
        "predicted": found.predicted,
        "ranked": ranked,
    }
    counts = ", ".join(f"{name} {count}" for name, count in ranked.items())
    say(told, as_json, f"{found.explained:,} texts; words that speak for {counts}: {out}")


@nlpguard.command()
@click.argument("table", type=_file)
@_top
@click.option("--data", metavar="DATA", help="The texts; with them, words are judged where they "
              "stand, and shown to people and models so.")  # fmt: skip
@_text
@_lexicon
@click.option("--human", "ballots", type=_file, multiple=True,
              help="A rater's filled-in CSV; their majority decides, the lexicon the rest. May be "
              "given again.")  # fmt: skip
@click.option("--llm", metavar="ASSET|ID|DIR|FILE.gguf|URL#MODEL",
              help="A language model that is asked beside the lexicon, to tell how far they agree; "
              "it decides nothing.")  # fmt: skip
@click.option("--repeats", type=click.IntRange(min=1), default=1, show_default=True,
              help="Answers of the language model to a word, odd.")  # fmt: skip
@click.option("--cache", type=_new_file, help="Of its answers.  [default: OUT.llm.jsonl]")
@click.option("--export", type=_new_file, help="Also write a CSV for a rater to fill in.")
@click.option("--override", "overrides", multiple=True, metavar="WORD=CATEGORY:REASON",
              help="A correction, which OUT keeps on record; none takes a word out. May be given "
              "again.")  # fmt: skip
@_seed
@click.option("-o", "--out", type=_new_file, help="The words to write, e.g. protected.json.")
@_overwrite
@_as_json
def identify(
    table: Path,
    top: int,
    data: str | None,
    text: str,
    split: str | None,
    lexicon: str,
    ballots: tuple[Path, ...],
    export: Path | None,
    overrides: tuple[str, ...],
    seed: int,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    **llm: Any,
) -> None:
    """Say which of the words in a TABLE of `explain` are protected, and as what."""
    if out is None and export is None:
        raise UsageError("give -o, the file of words, or --export, a CSV for a rater, or both")
    corrections = [_override(each) for each in overrides]
    from burnish.methods.nlpguard.aggregation import WordTable
    from burnish.methods.nlpguard.annotation import Protected
    from burnish.methods.nlpguard.fresh_files import check_free, written
    from burnish.methods.nlpguard.human import export_words
    from burnish.methods.nlpguard.identifying import contexts_of, top_words

    made = [each for each in (out, export) if each is not None]
    check_free(made, read=[table, lexicon, *ballots], overwrite=overwrite)
    words = top_words(WordTable.from_parquet(table), top)
    texts = [] if data is None else [row["text"] for row in _read(data, text, None, split).rows]
    contexts = contexts_of(words, texts)
    if export is not None:
        with written(export) as half:
            export_words(half, words, contexts)
        click.echo(f"{len(words)} words for a rater: {export}", err=True)
    if out is None:
        return
    raters = _raters(lexicon, ballots, out, seed, **llm)
    annotations = _going_on(lambda: _annotated(raters, words, contexts))
    protected = Protected.of_annotations(annotations)
    for word, category, reason in corrections:
        protected = protected.override(word, category, reason)
    with written(out) as half:
        protected.save(half)
    counts = dict(Counter(protected.values()))
    kappas = _kappas(annotations, tuple(raters), seed)
    told = {
        "out": str(out),
        "words": len(words),
        "protected": len(protected),
        "categories": counts,
        "undecided": len(protected.undecided),
        "kappa": kappas,
    }
    named = ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
    say(told, as_json, f"{len(protected)} of {len(words)} words are protected ({named}): {out}")
    if as_json:
        return
    if protected.undecided:
        click.echo(f"{len(protected.undecided)} words are undecided; see {out}", err=True)
    for pair, kappa in kappas.items():
        line = "undefined" if kappa is None else "{:.3f} ({:.3f} to {:.3f})".format(*kappa)
        click.echo(f"Cohen's kappa of {pair}: {line}", err=True)


@nlpguard.command()
@click.argument("data")
@click.option("--protected", "words", type=_file,
              help="The words, as `identify` wrote them.")  # fmt: skip
@click.option("--strategy", type=click.Choice(_STRATEGIES), default="word_removal",
              show_default=True, help="MS1 to MS5 are the first six, MS1 twice.")  # fmt: skip
@_text
@_label
@click.option("--per-class", type=_file, metavar="TABLE",
              help="Edit each row only for the words that drive its own class, by this table of "
              "`explain`.")  # fmt: skip
@_top
@_lexicon
@click.option("--model", help="Whose word vectors say what is near, for word_replacement and "
              "word_variants.  [default: vectors from the texts]")  # fmt: skip
@click.option("--neighbours", type=click.IntRange(min=1), default=5, show_default=True,
              help="Of a word, and variants of a text.")  # fmt: skip
@click.option("--keep-original", is_flag=True, help="With word_variants, as in the released code: "
              "originals stay, and neighbours may be protected.")  # fmt: skip
@click.option("--allow-loss", is_flag=True, help="Let a class end empty, and more than 30 % of the "
              "rows be lost.")  # fmt: skip
@click.option("--replay", type=_file, metavar="LEDGER",
              help="Edit nothing: check that the edits of this ledger turn DATA into OUT. Exit "
              "code 3 if not.")  # fmt: skip
@_seed
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path),
              help="The edited data to write, in the format of DATA.")  # fmt: skip
@click.option("--ledger", type=_new_file, help="Every edit, as Parquet.  [default: beside OUT, "
              "with the ending .ledger.parquet]")  # fmt: skip
@_overwrite
@_as_json
def moderate(
    data: str,
    words: Path | None,
    text: str,
    label: str,
    split: str | None,
    per_class: Path | None,
    replay: Path | None,
    out: Path,
    ledger: Path | None,
    overwrite: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Edit the rows of DATA that hold protected words, and keep a ledger of every edit.

    The ledger and OUT hold texts in clear: keep them as carefully as DATA.
    """
    from burnish.methods.nlpguard.ledger import Ledger

    if replay is not None:
        _replay(Ledger.load(replay), data, out, text, split, as_json)
        return
    if words is None:
        raise UsageError("moderate needs --protected FILE; make it with: burnish nlpguard identify")
    from burnish.methods.nlpguard.fresh_files import check_free, written
    from burnish.methods.nlpguard.labelled_files import check_ending

    ledger = ledger or out.with_name(f"{out.stem}.ledger.parquet")
    inputs = [each for each in (data, words, per_class) if each is not None]
    check_free([out, ledger], read=inputs, overwrite=overwrite)
    rows = _read(data, text, label, split)
    check_ending(out, rows.kind)
    made = _moderated(rows, words, per_class, settings)
    with written(ledger) as half:  # first, so that no edited data are without one
        made.ledger.save(half)
    rows.write(out, made.data)
    for note in made.notes:
        click.echo(f"note: {note}", err=True)
    told = {
        "out": str(out),
        "ledger": str(ledger),
        "rows_before": made.rows_before,
        "rows_after": made.rows_after,
        "changed": made.changed,
        "lost": made.lost,
        "edits": len(made.ledger),
        "notes": list(made.notes),
    }
    line = f"{len(made.ledger):,} edits in {made.changed:,} of {made.rows_before:,} rows: {out}"
    say(told, as_json, line)


@nlpguard.command()
@click.argument("model")
@click.argument("data")
@_text
@_label
@click.option("--unlabelled", is_flag=True, help="DATA has no labels; accuracy is left out.")
@click.option("--against", metavar="MODEL", help="The classifier as it was before the repair.")
@_top
@_lexicon
@_explainer
@click.option("--protected", "words", type=_file,
              help="Words of `identify`, whose overrides are made again.")  # fmt: skip
@click.option("--swaps", type=click.IntRange(min=1), default=3, show_default=True,
              help="Counterfactuals of each text.")  # fmt: skip
@click.option("--ledger", type=_file, help="Of the repair; an excerpt goes into the report.")
@click.option("--most-pa", type=click.FloatRange(0, 1), metavar="SHARE",
              help="Fail if more of MODEL's most predictive words are protected.")  # fmt: skip
@click.option("--most-mass", type=click.FloatRange(0, 1), metavar="SHARE",
              help="Fail if protected words, those too short or rare for the lists included, hold "
              "more of the attribution.")  # fmt: skip
@click.option("--most-flips", type=click.FloatRange(0, 1), metavar="SHARE",
              help="Fail if more answers change when protected words are swapped.")  # fmt: skip
@click.option("--least-accuracy", type=click.FloatRange(0, 1), metavar="SHARE",
              help="Fail if MODEL is less accurate.")  # fmt: skip
@click.option("--hidden", is_flag=True, help="Write hashes in place of words.")
@click.option("--title", default="Reliance on protected words", show_default=True)
@_seed
@click.option("-o", "--out", required=True, type=_new_folder,
              help="The folder for audit.json, audit.md and audit.html.")  # fmt: skip
@_overwrite
@_as_json
def audit(
    model: str,
    data: str,
    text: str,
    label: str,
    split: str | None,
    unlabelled: bool,
    against: str | None,
    checkpoint: Path | None,
    steps: int | None,
    words: Path | None,
    swaps: int,
    ledger: Path | None,
    most_pa: float | None,
    most_mass: float | None,
    most_flips: float | None,
    least_accuracy: float | None,
    hidden: bool,
    title: str,
    out: Path,
    overwrite: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure how far MODEL leans on protected words, on the test texts of DATA.

    For continuous integration: exit code 3 when the report is written and a limit is not kept or
    could not be measured; 1 when the work failed, 2 when the call was wrong. A clean audit does not
    prove that a classifier is fair.
    """
    if unlabelled and least_accuracy is not None:
        raise UsageError("--least-accuracy needs labels; drop it or --unlabelled")
    from burnish.methods.nlpguard.annotation import Protected
    from burnish.methods.nlpguard.assessing import missed
    from burnish.methods.nlpguard.auditing import POOLED
    from burnish.methods.nlpguard.fresh_files import check_free
    from burnish.methods.nlpguard.ledger import Ledger
    from burnish.methods.nlpguard.report_files import files_in, write_report
    from burnish.runs.progress import progress

    check_free(files_in(out), read=[data], overwrite=overwrite)
    guard = _guard(model, settings)
    texts, test = _test(data, text, label, split, unlabelled, guard.classifier.classes)
    corrected = None if words is None else Protected.load(words)
    edits = None if ledger is None else Ledger.load(ledger)
    before, after = (None, None) if against is None else (against, model)
    with _told(), progress(len(texts) * (2 if against else 1), "texts") as bar:
        report = _going_on(
            lambda: guard.audit(
                before,
                after,
                texts,
                test,
                protected=corrected,
                swaps=swaps,
                steps=steps or "auto",
                checkpoint=checkpoint,
                advance=bar.advance,
                title=title,
            ),
            kept=checkpoint is not None,
        )
    if edits is not None:
        report = replace(report, ledger=edits)
    files = write_report(report, out, hidden=hidden)
    side = report.after or report.before
    failures = missed(
        report,
        most_pa=most_pa,
        most_mass=most_mass,
        most_flips=most_flips,
        least_accuracy=least_accuracy,
    )
    accuracy = side.performance.get("accuracy")
    flips = None if side.sensitivity is None else side.sensitivity.flip_rate
    told = {
        "json": str(files.json),
        "markdown": str(files.markdown),
        "html": str(files.html),
        "pa": side.reliance.pa,
        "pa_before": report.before.reliance.pa if report.after else None,
        "mass": side.reliance.mass[POOLED],
        "flip_rate": None if flips is None else flips.estimate,
        "accuracy": None if accuracy is None else accuracy.estimate,
        "failures": failures,
    }
    share = "not known" if told["pa"] is None else f"{100 * told['pa']:.1f} %"
    say(told, as_json, f"PA@{settings['top']} {share}: {files.html}")
    if failures:
        raise CheckFailed(f"{'; '.join(failures)}; see {files.html}")


@nlpguard.command()
@click.argument("config", type=_file)
@click.option("--preset", default="quick", show_default=True,
              help="What CONFIG leaves open: quick, cpu or paper.")  # fmt: skip
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True,
              help="One setting; wins over CONFIG. May be given again.")  # fmt: skip
@_seed
@click.option("-o", "--out", required=True, type=_new_folder, help="The run folder to write.")
@_as_json
def run(
    config: Path, preset: str, overrides: tuple[str, ...], seed: int, out: Path, as_json: bool
) -> None:
    """Train, explain, identify, repair and audit, as CONFIG.yaml says.

    The same as `burnish run nlpguard --config CONFIG.yaml --resume`: a run that was killed goes on
    with the same command. `burnish report OUT` makes the page.
    """
    from burnish.methods.nlpguard import executing
    from burnish.methods.nlpguard.config import NlpguardConfig
    from burnish.runs import summary
    from burnish.runs.settings import build_config

    built = build_config(NlpguardConfig, preset, config, overrides)
    done = _going_on(lambda: executing.run(built, out=out, seed=seed, preset=preset))
    found = summary(done)
    verdicts = Counter(claim["verdict"] for claim in found["claims"])
    line = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    page = f"burnish report {shlex.quote(str(out))} -o report.html"
    say(found, as_json, f"claims: {line}; the page: {page}")


def _read(data: str, text: str, label: str | None, split: str | None) -> LabelledFile:
    from burnish.methods.nlpguard.labelled_files import read_labelled

    return read_labelled(data, text=text, label=label, split=split)


def _guard(model: str, settings: Mapping[str, Any]) -> Guard:
    from burnish.methods.nlpguard.guard_class import Guard
    from burnish.methods.nlpguard.lexicon import Lexicon

    return Guard(
        model,
        explainer=settings["explainer"],
        annotator=Lexicon(settings["lexicon"]) if "lexicon" in settings else None,
        top_n=settings.get("top", 400),
        granularity=settings["granularity"],
        max_length=settings["max_length"],
        seed=settings.get("seed", 0),
    )


def _override(given: str) -> tuple[str, str, str]:
    word, equals, rest = given.partition("=")
    category, colon, reason = rest.partition(":")
    if not equals or not colon or not reason.strip():
        raise UsageError(
            "--override is WORD=CATEGORY:REASON, such as jordan=none:a name here; one has no "
            f"{'reason' if equals else 'category'}"
        )
    return word, category.strip(), reason


def _raters(
    lexicon: str,
    ballots: Sequence[Path],
    out: Path,
    seed: int,
    *,
    llm: str | None,
    repeats: int,
    cache: Path | None,
) -> dict[str, Annotator]:
    """Who is asked, those first whose word is final; the language model's never is."""
    from burnish.methods.nlpguard.human import HumanAnnotator
    from burnish.methods.nlpguard.lexicon import Lexicon

    raters: dict[str, Annotator] = {}
    if ballots:
        raters["people"] = HumanAnnotator.read(ballots)
    raters["lexicon"] = Lexicon(lexicon)
    if llm is not None:
        from burnish.chat import connect
        from burnish.methods.nlpguard.llm_annotator import LLMAnnotator

        kept = cache or out.with_name(f"{out.stem}.llm.jsonl")
        raters["model"] = LLMAnnotator(connect(llm), repeats=repeats, seed=seed, cache=kept)
    return raters


def _annotated(
    raters: Mapping[str, Annotator], words: Sequence[str], contexts: Mapping[str, Sequence[str]]
) -> list[Annotation]:
    from burnish.methods.nlpguard.voting import VoteAnnotator

    final = [rater for name, rater in raters.items() if name != "model"]
    return VoteAnnotator([*raters.values()], final=final).annotate(words, contexts)


def _kappas(
    annotations: Sequence[Annotation], raters: tuple[str, ...], seed: int
) -> dict[str, list[float] | None]:
    """Cohen's kappa of each pair of raters with its interval, over the categories."""
    from burnish.methods.nlpguard.voting import agreement

    if len(raters) < 2:
        return {}
    found = agreement(annotations, raters, seed=seed).cohen
    return {
        " and ".join(pair): None if own is None else [own.estimate, own.low, own.high]
        for pair, own in found.items()
    }


def _moderated(
    rows: LabelledFile, words: Path, per_class: Path | None, settings: Mapping[str, Any]
) -> MitigatedData:
    from burnish.methods.nlpguard.aggregation import WordTable
    from burnish.methods.nlpguard.annotation import Protected
    from burnish.methods.nlpguard.lexicon import Lexicon
    from burnish.methods.nlpguard.opening import classifier_of
    from burnish.methods.nlpguard.rewriting import rewrite

    protected = Protected.load(words)
    table = None if per_class is None else WordTable.from_parquet(per_class)
    return rewrite(
        rows.rows,
        protected,
        settings["strategy"],
        lexicon=Lexicon(settings["lexicon"]),
        classifier=None if settings["model"] is None else classifier_of(settings["model"]),
        table=table,
        top_n=settings["top"],
        k=settings["neighbours"],
        strict=not settings["keep_original"],
        seed=settings["seed"],
        allow_loss=settings["allow_loss"],
    )


def _replay(
    ledger: Ledger, data: str, out: Path, text: str, split: str | None, as_json: bool
) -> None:
    """Raises CheckFailed unless the ledger turns the data into those of `out`."""
    replayed = ledger.replay(_read(data, text, None, split).rows)
    there = _read(str(out), text, None, None).rows
    same = [row["text"] for row in replayed] == [row["text"] for row in there]
    verdict = "the ledger makes it" if same else "the ledger makes other rows"
    say({"out": str(out), "edits": len(ledger), "replays": same}, as_json, f"{out}: {verdict}")
    if not same:
        raise CheckFailed(f"{out} is not what the ledger makes of {data}; edit the data anew")


def _test(
    data: str, text: str, label: str, split: str | None, unlabelled: bool, classes: Sequence[str]
) -> tuple[list[str], list[dict[str, Any]] | None]:
    """The texts, and the rows with indices of classes as labels."""
    if unlabelled:
        return [row["text"] for row in _read(data, text, None, split).rows], None
    from burnish.data import read_examples

    found = read_examples(
        data, task="classification", text=text, label=label, label_names=classes, split=split
    )
    pairs = zip(found.texts, found.labels, strict=True)
    return list(found.texts), [{"text": own, "label": index} for own, index in pairs]


@contextmanager
def _told() -> Iterator[None]:
    """Warnings of the library as lines."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for each in caught:
        if issubclass(each.category, UserWarning):
            click.echo(f"warning: {each.message}", err=True)


def _going_on(work: Callable[[], Any], *, kept: bool = True) -> Any:
    """What the work gives; Ctrl-C says how to go on, where something is kept."""
    try:
        return work()
    except KeyboardInterrupt:
        again = shlex.join(["burnish", *sys.argv[1:]])
        if not kept:
            raise Interrupted(
                "interrupted, and nothing is kept; with --checkpoint DIRECTORY it could go on"
            ) from None
        raise Interrupted(f"interrupted; go on with: {again}") from None
