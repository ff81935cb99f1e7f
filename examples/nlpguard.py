"""Protected words that drive a stress classifier: found, taken out, and what that changed."""

import sys
import tempfile
from collections import Counter
from pathlib import Path

from burnish import nlpguard
from burnish.data import load_set

posts = load_set("dreaddit", train=1000, test=500)
names = posts.train.label_names
train, test = (
    [
        {"text": text, "label": names[label]}
        for text, label in zip(part.texts, part.labels, strict=True)
    ]
    for part in (posts.train, posts.test)
)


def fitted(rows: list[dict[str, str]]) -> nlpguard.LinearClassifier:
    """Softmax regression on which words are there."""
    texts, labels = ([row[column] for row in rows] for column in ("text", "label"))
    return nlpguard.train("linear", texts, labels, names, seed=0).classifier


before = fitted(train)
guard = nlpguard.Guard(before, top_n=100)
table = guard.explain(posts.test.texts)  # no labels are needed
protected = guard.identify(table, posts.test.texts)
print(f"{len(protected)} of the 100 most predictive words of each class are protected:")
for word, category in protected.items():
    print(f"  {word}: {category}")

kept = tempfile.TemporaryDirectory()
folder = Path(sys.argv[1] if len(sys.argv) > 1 else kept.name)
for strategy in ("word_removal", "cda"):
    edited = guard.moderate(train, protected, strategy)
    assert edited.ledger.replay(train) == edited.data
    counts = Counter(edit.category for edit in edited.ledger.edits)
    print(f"\n{strategy}: {edited.changed} of {len(train)} posts, {dict(counts)}")

    report = guard.audit(after=fitted(edited.data), test=test, mitigated=edited, swaps=1)
    files = nlpguard.write_report(report, folder / strategy, hidden=True)  # words as hashes
    for line in files.markdown.read_text(encoding="utf-8").splitlines():
        if line.startswith(("| class | PA", "| all", "| accuracy", "| flip rate")):
            print(line)
kept.cleanup()
