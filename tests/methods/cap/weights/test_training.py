"""Every criterion through a small training, to the sparsity asked for."""

import copy
import io

import pytest
import torch

from burnish.methods.cap.schedules import Cubic
from burnish.methods.cap.weights import (
    Calibrated,
    Estimating,
    Magnitude,
    MaskedWeights,
    Movement,
    OBert,
    Platon,
    Smp,
    SoftMovement,
    Wanda,
)

STEPS = 30
CRITERIA = [
    Magnitude(),
    Magnitude(ranking="global"),
    Movement(),
    SoftMovement(final_penalty=20.0),
    Platon(),
    OBert(gradients=4, block=16, refresh=10),
    Smp(),
    Wanda(refresh=3),
]


def named(criterion):
    return f"{criterion.name}-{criterion.ranking}"


class Training:
    """A model, its masks and its optimiser; `run` goes on from any step."""

    def __init__(self, model, layers, criterion, batch_of):
        self.model, self.batch_of = model, batch_of
        self.masked = MaskedWeights(layers, criterion)
        rising = criterion.ranking == "threshold"
        self.schedule = Cubic(
            initial=0.0 if rising else 1.0,
            final=0.3 if rising else 0.1,
            warmup_steps=2,
            initial_warmup=1,
            final_warmup=2,
            total_steps=STEPS,
        )
        scores = {id(each) for each in self.masked.score_parameters}
        others = [each for each in model.parameters() if id(each) not in scores]
        groups = [{"params": others, "lr": 1e-3}]
        if scores:
            groups.append({"params": list(self.masked.score_parameters), "lr": 1e-1})
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.0)

    def run(self, steps):
        for step in steps:
            self.prepare(step)
            level = self.schedule.at(step)
            self.masked.before_step(step, level)
            loss = self.model(**self.batch_of(step)).loss
            penalty = self.masked.penalty(level)
            (loss if penalty is None else loss + penalty).backward()
            self.masked.after_backward()
            self.optimizer.step()
            self.optimizer.zero_grad()

    def prepare(self, step):
        due, criterion = step % self.masked.refresh == 0, self.masked.criterion
        if due and isinstance(criterion, Estimating):
            for each in range(criterion.gradients):
                self.model(**self.batch_of(each)).loss.backward()
                self.masked.collect()
                self.optimizer.zero_grad()
        if step == 0 and isinstance(criterion, Calibrated):
            self.masked.calibrate(lambda batch: self.model(**batch), [self.batch_of(0)])

    def finish(self):
        self.prepare(0)
        self.masked.update(self.schedule.at(STEPS))


@pytest.fixture
def training_of(tiny_bert, linears_of, batch_of):
    def make(criterion, seed=0):
        model = tiny_bert(seed)
        return Training(model, linears_of(model), criterion, batch_of)

    return make


@pytest.mark.parametrize("criterion", CRITERIA, ids=named)
def test_a_training_ends_with_the_sparsity_asked_for(criterion, training_of):
    training = training_of(criterion)
    layers = training.masked.masks
    weights = {name: module.weight for name, module in training.model.named_modules()
               if name in layers}  # fmt: skip
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    training.run(range(STEPS))
    training.finish()
    sparsity = training.masked.sparsity()
    if criterion.ranking == "threshold":
        assert 0 < sparsity["removed"] < sparsity["total"]
        least = {name: mask.numel() * 0.005 for name, mask in layers.items()}
        assert all(int(mask.sum()) >= least[name] for name, mask in layers.items())
    else:
        groups = {
            "matrix": [mask.numel() for mask in layers.values()],
            "global": [sparsity["total"]],
            "row": [mask.shape[1] for mask in layers.values() for _ in mask],
        }[criterion.ranking]
        kept = sum(int(0.1 * size) for size in groups)
        assert sparsity["removed"] == sparsity["total"] - kept
    changed = any(not torch.equal(weights[name], old) for name, old in before.items())
    assert changed == criterion.trains_weights
    training.model.eval()
    with torch.no_grad():
        logits = training.model(**training.batch_of(99)).logits
        training.masked.bake()
        assert torch.equal(training.model(**training.batch_of(99)).logits, logits)


@pytest.mark.parametrize("criterion", CRITERIA, ids=named)
def test_a_training_that_was_killed_goes_on_to_the_same_masks(criterion, training_of):
    whole = training_of(criterion)
    whole.run(range(STEPS))
    whole.finish()

    killed = training_of(criterion)
    killed.run(range(17))  # between two settings of the masks
    file = io.BytesIO()
    torch.save(
        {
            "model": killed.model.state_dict(),
            "optimizer": killed.optimizer.state_dict(),
            "masked": killed.masked.state_dict(),
        },
        file,
    )
    file.seek(0)
    state = torch.load(file, weights_only=True)
    resumed = training_of(criterion, seed=1)
    resumed.model.load_state_dict(state["model"])
    resumed.optimizer.load_state_dict(state["optimizer"])
    resumed.masked.load_state_dict(state["masked"])
    assert resumed.masked.digest() == killed.masked.digest()
    resumed.run(range(17, STEPS))
    resumed.finish()
    assert resumed.masked.digest() == whole.masked.digest()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name


def test_gradients_shown_to_obert_survive_a_kill(training_of):
    criterion = OBert(gradients=20, block=16)
    masks = []
    for killed in (False, True):
        training = training_of(criterion)
        for step in range(20):
            training.model(**training.batch_of(step)).loss.backward()
            training.masked.collect()
            if killed and step == 10:
                state = copy.deepcopy(training.masked.state_dict())
                training = training_of(criterion)
                training.masked.load_state_dict(state)
        training.masked.update(0.3)
        masks.append(training.masked.digest())
    assert masks[0] == masks[1]


def test_a_trained_task_survives_movement(training_of):
    """The loop above learns: the loss at a tenth of the weights is below that of guessing."""
    training = training_of(Movement())
    training.run(range(STEPS))
    for step in range(STEPS, 8 * STEPS):  # the schedule stays at its final value
        training.run([step])
    with torch.no_grad():
        loss = sum(training.model(**training.batch_of(step)).loss for step in range(10)) / 10
    assert loss < 0.6
