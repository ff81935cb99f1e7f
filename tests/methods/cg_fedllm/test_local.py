"""From texts to what clients send: blocks, a base that has read something, local training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import ByT5Tokenizer

from burnish import assets
from burnish.codecs.errors import IncompatibleCodec, LayoutMismatch
from burnish.codecs.kseed import KSeed
from burnish.codecs.protocol import Context
from burnish.data.corpus import Corpus
from burnish.errors import AssetMissing, BurnishError, DataError, UsageError
from burnish.methods.cg_fedllm.adapters import fresh_adapter, init_hash, matrices, read_adapter
from burnish.methods.cg_fedllm.corpora import federate, packed, share_out, token_lists
from burnish.methods.cg_fedllm.local import LocalSettings, LoraTask
from burnish.methods.cg_fedllm.tiny import tiny_llama
from burnish.methods.cg_fedllm.zeroth_order import ZerothOrderTask
from burnish.models import load_causal_lm

WORDS = ["the", "river", "ran", "past", "seven", "old", "mills", "and", "nobody", "asked", "why"]
SETTINGS = LocalSettings(max_steps=3, batch_size=4, learning_rate=1e-2, seed=5)


def corpus(texts: int = 60) -> Corpus:
    """Sentences with capitals, digits and stops, in four groups."""
    draw = np.random.default_rng(0)
    sentences = tuple(
        f"No. {n}: {' '.join(draw.choice(WORDS, 8)).capitalize()}. {n * n}!" for n in range(texts)
    )
    return Corpus(sentences, tuple(f"group {n % 4}" for n in range(texts)))


def federation(shares, tokenizer, **changes):
    settings = {
        "block": 16,
        "heldout_blocks": 4,
        "clients": 3,
        "alpha": 1.0,
        "share_first": 0.3,
        "seed": 1,
    }
    return federate(shares, tokenizer, **settings | changes)


def made(texts):
    return tiny_llama(texts, seed=3, hidden=32, layers=2, steps=80, block=16, batch_size=8)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Models this small are slower with two, and much slower where others use the processor."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def shares():
    return share_out(corpus(), public=0.4)


@pytest.fixture(scope="module")
def lm(shares):
    return made(shares.public.texts)


@pytest.fixture(scope="module")
def blocks(shares, lm):
    return federation(shares, lm.tokenizer)


@pytest.fixture(scope="module")
def task(lm, blocks):
    model = fresh_adapter(lm.model, rank=2, alpha=4, dropout=0.1, seed=0)
    return LoraTask(model, blocks.second, SETTINGS, heldout=blocks.heldout)


def same(task: LoraTask, **changes) -> LoraTask:
    """The task with other settings, on the same model, whatever was done to it before."""
    task.put(task.initial())
    return LoraTask(
        task._model, task._blocks, replace(task.settings, **changes), heldout=task._heldout
    )


class TestCorpora:
    def test_no_text_is_in_two_parts_and_the_parts_are_always_the_same(self, shares):
        parts = [set(part.texts) for part in (shares.public, shares.heldout, shares.private)]
        assert sum(map(len, parts)) == 60 == len(set.union(*parts))
        assert len(parts[1]) == 6
        assert share_out(corpus(), public=0.4) == shares

    def test_a_text_that_comes_twice_is_not_both_held_out_and_trained_on(self):
        one = corpus(20)
        shares = share_out(Corpus(one.texts * 2, one.groups * 2))
        assert not set(shares.heldout.texts) & set(shares.private.texts)

    def test_texts_are_packed_with_their_ends_between_them(self):
        tokenizer = ByT5Tokenizer(extra_ids=0)
        tokens = packed(token_lists(["abc", "de", "x"], tokenizer), 4)
        assert tokens.tolist() == [[100, 101, 102, 1], [103, 104, 1, 123]]

    def test_every_client_has_blocks_in_both_parts_and_shares_none(self, blocks):
        assert blocks.clients == len(blocks.second) == 3
        rows = torch.cat([*blocks.first, *blocks.second])
        assert len({tuple(row) for row in rows.tolist()}) == len(rows)
        for first, second in zip(blocks.first, blocks.second, strict=True):
            assert abs(len(first) - 0.3 * (len(first) + len(second))) <= 1
        assert blocks.heldout.shape == (4, 16)

    def test_held_out_blocks_do_not_depend_on_the_seed_but_clients_do(self, shares, lm, blocks):
        other = federation(shares, lm.tokenizer, seed=2)
        assert torch.equal(other.heldout, blocks.heldout)
        assert [len(x) for x in other.second] != [len(x) for x in blocks.second]

    def test_too_little_text_is_told(self, shares, lm):
        with pytest.raises(DataError, match=r"held-out texts fill .* blocks of 16 tokens, 999"):
            federation(shares, lm.tokenizer, heldout_blocks=999)
        with pytest.raises(DataError, match="cannot be spread over 200 clients"):
            federation(shares, lm.tokenizer, clients=200)
        with pytest.raises(UsageError, match="two tokens at least, got 1"):
            packed([], 1)


class TestTinyLlama:
    def test_is_the_same_every_time(self, lm, shares):
        assert made(shares.public.texts).identity == lm.identity
        assert made(shares.public.texts[1:]).identity != lm.identity

    def test_has_read_small_letters_and_finds_capitals_strange(self, task, lm):
        lists = token_lists([" ".join(WORDS), " ".join(WORDS).upper()], lm.tokenizer)
        small, capital = (packed([tokens], len(tokens)) for tokens in lists)
        task.put(task.initial())
        every = np.array([0])
        assert task.score(small, every) < 3 < 5 < task.score(capital, every)

    def test_needs_a_batch_of_text(self):
        with pytest.raises(DataError, match="16 blocks of 64 bytes at least, got 0"):
            tiny_llama(["short"], seed=0)


class TestLoraTask:
    def test_starts_from_the_adapter_the_model_came_with(self, task):
        assert init_hash(task.initial()) == task.init
        task.train(task.initial(), client=0, round=1)
        assert init_hash(task.initial()) == task.init

    def test_training_lowers_the_loss_of_text_unlike_the_base_s(self, task):
        own = LoraTask(task._model, task._blocks, SETTINGS, heldout=task.blocks(0))
        adapter = task.initial()
        losses = [own.evaluate(adapter)]
        for round in range(1, 13):
            adapter = own.train(adapter, client=0, round=round).adapter
            losses.append(own.evaluate(adapter))
        assert losses[-1] < losses[0] - 0.05

    def test_a_client_s_result_depends_on_round_and_client_and_nothing_else(self, task):
        start = task.initial()
        first = task.train(start, client=1, round=2)
        task.train(first.adapter, client=0, round=7)
        again = task.train(start, client=1, round=2)
        assert init_hash(first.adapter) == init_hash(again.adapter)
        assert (first.loss, first.examples) == (again.loss, again.examples)
        others = [
            task.train(start, client=1, round=3),
            task.train(start, client=2, round=2),
            same(task, seed=6).train(start, client=1, round=2),
        ]
        hashes = {init_hash(trained.adapter) for trained in (first, *others)}
        assert len(hashes) == 4

    def test_the_base_and_the_world_s_randomness_are_left_alone(self, task):
        base = {
            name: weight.clone()
            for name, weight in task._model.named_parameters()
            if ".lora_" not in name
        }
        torch.manual_seed(1)
        expected = torch.rand(2)
        torch.manual_seed(1)
        task.train(task.initial(), client=0, round=1)
        assert torch.equal(torch.rand(2), expected)
        now = dict(task._model.named_parameters())
        assert all(torch.equal(now[name], weight) for name, weight in base.items())

    def test_examples_are_the_client_s_blocks_and_steps_are_bounded(self, task):
        blocks = task.blocks(0)
        assert task.train(task.initial(), client=0, round=1).examples == len(blocks)
        assert len(task.plan(0, 1)) == 3
        twice = same(task, max_steps=None, epochs=2).plan(0, 1)
        rows, times = np.unique(np.concatenate(twice), return_counts=True)
        assert (len(rows), set(times)) == (len(blocks), {2})

    def test_the_gradient_is_the_mean_over_the_steps_before_clipping(self, shares, blocks):
        """With one step and no dropout it is what autograd says of the batch."""
        model = fresh_adapter(made(shares.public.texts).model, rank=2, alpha=4, dropout=0.0, seed=0)
        settings = replace(SETTINGS, max_steps=1, gradient=True, clip=1e-4)
        task = LoraTask(model, blocks.second, settings)
        found = task.train(task.initial(), client=0, round=1).gradient
        task.put(task.initial())
        task.loss(model, task.blocks(0), task.plan(0, 1)[0]).backward()
        wanted = {name: weight.grad for name, weight in matrices(model).items()}
        assert found.keys() == wanted.keys()
        for name, gradient in found.items():
            assert torch.allclose(gradient, wanted[name], atol=1e-7)
        without = LoraTask(model, blocks.second, SETTINGS)
        assert without.train(task.initial(), client=0, round=1).gradient is None

    def test_loss_of_held_out_blocks_is_the_mean_over_all_whatever_the_batch(self, task):
        wide, narrow = (same(task, batch_size=size).evaluate(task.initial()) for size in (4, 3))
        assert wide == pytest.approx(narrow, abs=1e-5)
        assert task.evaluate(task.initial()) == wide

    def test_without_held_out_blocks_there_is_no_loss(self, task):
        assert LoraTask(task._model, task._blocks, SETTINGS).evaluate(task.initial()) is None

    def test_bfloat16_comes_close_and_adapters_stay_float32(self, task):
        half = same(task, precision="bfloat16")
        trained = half.train(half.initial(), client=0, round=1)
        assert {tensor.dtype for tensor in trained.adapter.values()} == {torch.float32}
        assert half.evaluate(task.initial()) == pytest.approx(
            task.evaluate(task.initial()), abs=0.05
        )

    def test_what_does_not_fit_is_refused(self, task):
        with pytest.raises(UsageError, match="clients are 0 to 2, got 3"):
            task.train(task.initial(), client=3, round=1)
        with pytest.raises(LayoutMismatch, match="is missing"):
            task.train({}, client=0, round=1)
        with pytest.raises(UsageError, match="client 1 must have blocks"):
            LoraTask(task._model, [task.blocks(0), task.blocks(0)[:0]], SETTINGS)
        with pytest.raises(UsageError, match="max_steps must be at least 1, got 0"):
            LocalSettings(max_steps=0)

    def test_a_training_that_diverges_is_an_error(self, task):
        bad = {name: tensor + float("nan") for name, tensor in task.initial().items()}
        with pytest.raises(BurnishError, match="the loss became nan at step 1"):
            task.train(bad, client=0, round=1)


class TestZerothOrder:
    @pytest.fixture
    def pool(self, task) -> KSeed:
        return KSeed(task.layout.size, seeds=64)

    def test_the_trace_tells_the_whole_update(self, task, pool):
        learner = ZerothOrderTask(task, pool, learning_rate=1e-2)
        start = learner.initial()
        trained = learner.train(start, client=0, round=1)
        assert 0 < len(trained.trace) <= 3
        context = Context(round=1, client=0, trace=trained.trace)
        sent = pool.decode(pool.encode(torch.zeros(pool.size), context))
        begin = task.layout.to_vector(start)
        arrived = task.layout.to_tensors(begin + sent)
        assert init_hash(arrived) == init_hash(trained.adapter) != learner.init
        by_hand = begin.clone()
        for number, amount in trained.trace.items():
            by_hand += amount * pool.direction(number)
        assert torch.allclose(task.layout.to_vector(trained.adapter), by_hand, atol=1e-6)

    def test_a_step_goes_along_the_difference_of_two_losses(self, task, pool):
        one = ZerothOrderTask(same(task, max_steps=1), pool, learning_rate=0.5, epsilon=0.01)
        trained = one.train(one.initial(), client=1, round=4)
        ((number, amount),) = trained.trace.items()
        start, direction = task.layout.to_vector(one.initial()), pool.direction(number)
        rows = task.plan(1, 4)[0]
        losses = []
        for way in (0.01, -0.01):
            task.put(task.layout.to_tensors(start + way * direction))
            losses.append(task.score(task.blocks(1), rows))
        slope = (losses[0] - losses[1]) / 0.02
        assert amount == pytest.approx(-0.5 * slope, rel=1e-4)
        assert trained.loss == pytest.approx(np.mean(losses), rel=1e-6)

    def test_many_steps_lower_the_loss(self, task, pool):
        settings = replace(SETTINGS, max_steps=60, epochs=60)
        own = LoraTask(task._model, task._blocks, settings, heldout=task.blocks(0))
        learner = ZerothOrderTask(own, pool, learning_rate=1e-3)
        start = task.initial()
        trained = learner.train(start, client=0, round=1).adapter
        assert learner.evaluate(trained) < learner.evaluate(start) - 0.005

    def test_a_pool_for_another_adapter_is_refused(self, task):
        with pytest.raises(
            IncompatibleCodec, match=f"must have {task.layout.size} numbers.* got 10"
        ):
            ZerothOrderTask(task, KSeed(10), learning_rate=0.1)
        with pytest.raises(UsageError, match=r"must be positive, got 0\.0"):
            ZerothOrderTask(task, KSeed(task.layout.size), learning_rate=0.0)


@pytest.mark.xdist_group("smollm2")
def test_the_real_model_is_fine_tuned_by_a_client():
    try:
        assets.path("smollm2-135m-instruct")
    except AssetMissing as missing:
        pytest.skip(str(missing))
    lm = load_causal_lm("smollm2-135m-instruct", device="cpu")
    tokens = packed(token_lists(corpus(40).texts, lm.tokenizer), 16)
    model = fresh_adapter(lm.model, rank=8, alpha=16, dropout=0.0, seed=0)
    settings = LocalSettings(max_steps=2, batch_size=2, learning_rate=1e-3)
    task = LoraTask(model, [tokens[2:6]], settings, heldout=tokens[:2])
    assert (task.layout.image.height, task.layout.image.width) == (576, 1600)
    before = task.evaluate(task.initial())
    trained = task.train(task.initial(), client=0, round=1)
    assert task.evaluate(trained.adapter) < before
    vector = task.layout.to_vector(trained.adapter)
    assert init_hash(task.layout.to_tensors(vector)) == init_hash(read_adapter(model))
