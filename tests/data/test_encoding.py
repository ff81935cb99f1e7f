from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from burnish.data import Examples, encode
from burnish.errors import UsageError

TEXTS = ("The man was late.", "Woman met man in the park", "good", "the woman left the good man")
CONTEXT = "the man met the woman in the park who was late in the park"


def texts() -> Examples:
    return Examples("classification", (7, 5, 3, 1), TEXTS, (), (0, 1, 1, 0), (), ("a", "b"))


def question(context: str, start: int, answer: str) -> Examples:
    return Examples(
        "qa", (0, 1), ("the man left", context), ("who", "who"), (), ((4, "man"), (start, answer))
    )


def test_a_batch_is_what_the_tokenizer_pads(tokenizer):
    encoded = encode(texts(), tokenizer, max_length=8)
    wanted = tokenizer(
        [TEXTS[row] for row in (3, 0, 2)],
        truncation=True,
        max_length=8,
        padding=True,
        return_tensors="pt",
    )
    batch = encoded.batch([3, 0, 2])
    assert batch.pop("labels").tolist() == [0, 0, 1]
    assert batch.keys() == wanted.keys()
    for name, value in batch.items():
        assert torch.equal(value, wanted[name]), name
    assert encoded.ids.tolist() == [7, 5, 3, 1]
    assert encoded.lengths.tolist() == [7, 8, 3, 8]


def test_pairs_have_two_types_and_lose_from_the_longer(tokenizer):
    pair = Examples("pairs", (0,), (CONTEXT,), ("good park",), (0,), (), ("a",))
    batch = encode(pair, tokenizer, max_length=9).batch([0])
    assert tokenizer.decode(batch["input_ids"][0]) == "[CLS] the man met the [SEP] good park [SEP]"
    assert batch["token_type_ids"].tolist() == [[0] * 6 + [1] * 3]


def test_chunks_make_no_difference(tokenizer, monkeypatch):
    whole = encode(texts(), tokenizer, max_length=8)
    monkeypatch.setattr("burnish.data.encoding._CHUNK", 3)
    parts = encode(texts(), tokenizer, max_length=8)
    assert (parts.tokens == whole.tokens).all()
    assert (parts.offsets == whole.offsets).all()
    assert (parts.sources == whole.sources).all()


def test_a_batch_may_be_empty(tokenizer):
    batch = encode(texts(), tokenizer, max_length=8).batch(np.zeros(0, np.int64))
    assert batch["input_ids"].shape == (0, 0)
    assert batch["labels"].shape == (0,)


def test_a_long_context_takes_several_rows(tokenizer):
    start = CONTEXT.rindex("the park")
    encoded = encode(question(CONTEXT, start, "the park"), tokenizer, max_length=11, stride=3)
    assert encoded.sources.tolist() == [0, 1, 1, 1]
    assert encoded.ids.tolist() == [0, 1, 2, 3]
    batch = encoded.batch(range(len(encoded)))
    first, last = batch["start_positions"].tolist(), batch["end_positions"].tolist()
    assert (first[1], last[1]) == (first[2], last[2]) == (0, 0)
    found = batch["input_ids"][3, first[3] : last[3] + 1]
    assert tokenizer.decode(found) == "the park"
    spans = encoded.context_spans([3])[0]
    assert (spans[first[3], 0], spans[last[3], 1]) == (start, start + len("the park"))
    assert (spans[0] == -1).all()
    assert (encoded.context_spans([0, 1])[0, -1] == -1).all()


def test_without_stride_a_context_is_cut(tokenizer):
    start = CONTEXT.rindex("the park")
    encoded = encode(question(CONTEXT, start, "the park"), tokenizer, max_length=11)
    assert encoded.positions.tolist() == [[4, 4], [0, 0]]


def test_an_answer_within_a_word_gets_the_tokens_that_cover_it(tokenizer):
    encoded = encode(question("mans left", 3, "s"), tokenizer, max_length=11)
    assert tokenizer.convert_ids_to_tokens(encoded.batch([1])["input_ids"][0])[3:5] == [
        "man",
        "##s",
    ]
    assert encoded.positions[1].tolist() == [4, 4]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"max_length": 2}, "max_length 2 leaves no room"),
        ({"max_length": 8, "stride": 2}, "stride is for qa"),
    ],
)
def test_impossible_settings_are_refused(tokenizer, arguments, complaint):
    with pytest.raises(UsageError, match=complaint):
        encode(texts(), tokenizer, **arguments)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"max_length": 8, "stride": -1}, "between 0 and 4, got -1"),
        ({"max_length": 8, "stride": 5}, "between 0 and 4, got 5"),
        (
            {"max_length": 8, "stride": 4},
            "question of example 0 has 1 tokens, which leaves no room",
        ),
    ],
)
def test_a_stride_or_question_without_room_is_refused(tokenizer, arguments, complaint):
    with pytest.raises(UsageError, match=complaint):
        encode(question(CONTEXT, 0, "the"), tokenizer, **arguments)


def test_what_cannot_be_padded_or_is_empty_is_refused(tokenizer):
    unpadded = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
    with pytest.raises(UsageError, match=r"this one has none; set tokenizer\.pad_token"):
        encode(texts(), unpadded, max_length=8)
    with pytest.raises(UsageError, match="there are no examples to encode"):
        encode(texts().take([]), tokenizer, max_length=8)
