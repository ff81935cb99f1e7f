"""Fine-tune a small encoder on real tweets, cut 70 % of it away, and see what it still knows."""

import tempfile
import time
from pathlib import Path

import torch

from burnish import cap
from burnish.data import encode, load_set
from burnish.models import AutoPruned
from burnish.models.heads import TaskModel, fresh_head
from burnish.models.options import has_bfloat16
from burnish.training import Training

tweets = load_set("tweets", train=400, test=300)
names = tweets.train.label_names
precision = "bfloat16" if has_bfloat16() else "float32"
fast = Training(learning_rate=3e-4, precision=precision)


def encoder(seed: int) -> TaskModel:
    """all-MiniLM-L6-v2 with a new head of three classes."""
    generator = torch.Generator().manual_seed(seed)
    return fresh_head("all-minilm-l6-v2", "classification", generator, labels=names)


teacher, student = encoder(0), encoder(1)
train = encode(tweets.train, teacher.tokenizer, max_length=24)
test = cap.TestSet(tweets.test, encode(tweets.test, teacher.tokenizer, max_length=24), precision)

begun = time.perf_counter()
cap.fine_tune(teacher.model, train, fast, epochs=2, batch_size=16)
with tempfile.TemporaryDirectory() as folder:
    result = cap.ContrastivePruner(
        student.model,
        teacher=teacher.model,
        train=train,
        criterion=cap.FirstOrder(units=("heads", "ffn")),
        schedule=cap.Stages([0.7], epochs=2),
        objective=cap.CapObjective(extra=128, pooling="mean"),
        training=fast,
        batch_size=16,
        bank_dir=Path(folder) / "banks",
        freeze_embeddings=True,
        evaluate=lambda model: test.score(model).main,
    ).prune()
    print(f"fine-tuned and pruned in {time.perf_counter() - begun:.0f} s")

    small = result.save_pretrained(Path(folder) / "small", student.tokenizer)
    again = AutoPruned.from_pretrained(small)
    times = result.latency(batch=1, tokens=128, repeats=20)

stage = result.history[-1]
print(f"removed: {dict(stage.removed)} of {dict(stage.total)}")
print(f"test accuracy: {test.score(again).main:.1f} % of {len(test.encoded)} tweets, "
      f"teacher {test.score(teacher.model).main:.1f} %")  # fmt: skip
for name, each in times.items():
    print(f"{name}: {each.cpu_min_ms:.1f} ms of processor time for 1 x 128 tokens")
