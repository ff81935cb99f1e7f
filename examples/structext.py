"""Draw fresh questions, prove them solvable from the text alone, and ask a model."""

from burnish import structext
from burnish.chat import connect

suite = structext.build(languages=["json", "tree"], grid=[(1, 1)], n=2, seed=7)
print(f"{len(suite)} questions, for example:")
print(suite[0].question)

for sample in suite:
    solved = structext.solve(
        sample.text, sample.question, sample.rule, sample.difficulty, profile=sample.profile
    )
    assert structext.score(solved, sample.answer, metric="exact", compare=sample.compare) == 1

ceiling = structext.evaluate(suite, structext.DocumentOrderOracle())
floor = structext.evaluate(
    suite, structext.Constant(structext.build(languages=["json", "tree"], n=20, seed=8))
)
model = structext.evaluate(suite, connect("smollm2-135m-instruct"), log_dir="log")
for name, run in (("oracle", ceiling), ("constant answer", floor), ("SmolLM2-135M", model)):
    (row,) = run.table()
    print(f"{name:>16}: {row.scores['rouge_l_75'].estimate:.2f} RougeL-0.75, n = {row.n}")

(gain,) = model.normalised_gain(floor, ceiling)
print(f"normalised gain of the model: {gain.value:+.2f} (0 is the constant answer, 1 the oracle)")
