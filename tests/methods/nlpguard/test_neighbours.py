"""Nearest words by cosine, from tables that are at hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import BertConfig, BertModel, BertTokenizerFast, PreTrainedTokenizerFast

from burnish.errors import UsageError
from burnish.methods.nlpguard.neighbours import WordVectors, of_model, of_texts, word_mark
from burnish.models import load_encoder
from burnish.training import seeded

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused1]", "\u2581", "a", "12", "b2"]
PIECES += ["women", "men", "wo", "##men", "##s", "cat", "dog", "sea", "sri", "lanka", ",", "##x"]


def anything(word):
    return True


@pytest.fixture
def tokenizer(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES), encoding="utf-8")
    return BertTokenizerFast(vocab=str(tmp_path / "vocab.txt"))


def bert(size):
    with seeded(0):
        shape = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8}
        return BertModel(BertConfig(vocab_size=size, num_hidden_layers=1, **shape))


@pytest.mark.parametrize("k", [1, 3, 50])
def test_neighbours_are_the_greatest_cosines(k):
    vectors = np.random.default_rng(0).normal(size=(20, 5))
    words = [f"w{chr(97 + at)}" for at in range(20)]
    table = WordVectors(words, range(20), vectors, lambda word: [])
    cosines = cosine_similarity(vectors)[4]
    order = [words[at] for at in np.argsort(-cosines) if at != 4]
    assert table.near("WE", k, anything) == order[:k]
    wanted = set(order[::2])
    assert table.near("we", k, wanted.__contains__) == order[::2][:k]


def test_a_word_that_is_not_there_is_the_mean_of_its_parts():
    vectors = np.array([[1.0, 0], [0, 1], [1, 1], [-1, 0]])
    table = WordVectors("abcd", range(4), vectors, lambda word: [0, 1] if word == "a b" else [])
    assert table.near("A B", 1, anything) == ["c"]
    assert table.near("unknown", 1, anything) == []
    zero = WordVectors("ab", range(2), np.zeros((2, 3)), lambda word: [0])
    assert zero.near("x", 1, anything) == []


def test_spellings_of_a_word_are_one_and_no_neighbour_of_themselves():
    vectors = np.array([[1.0, 0], [1, 0.01], [0, 1]])
    table = WordVectors(["Cat", "cat", "sea"], range(3), vectors, lambda word: [])
    assert len(table) == 2
    assert table.near("CAT", 2, anything) == ["sea"]


def test_wrong_tables_are_refused():
    with pytest.raises(UsageError, match="got 2 words, 1 rows"):
        WordVectors("ab", [0], np.zeros((2, 3)), lambda word: [])
    table = WordVectors("ab", [0, 1], np.eye(2), lambda word: [])
    with pytest.raises(UsageError, match="k counts neighbours and is at least 1, got 0"):
        table.near("a", 0, anything)


def test_of_a_model_only_whole_words_are_neighbours(tokenizer):
    table = of_model(bert(len(PIECES)), tokenizer)
    near = table.near("women", 50, anything)
    assert sorted(near) == ["cat", "dog", "lanka", "men", "sea", "sri", "wo"]


def test_of_a_model_cosines_are_of_its_input_embeddings(tokenizer):
    model = bert(len(PIECES))
    weights = model.get_input_embeddings().weight.detach().numpy()
    rows = {word: row for row, word in enumerate(PIECES)}

    def order(vector, words):
        cosine = dict(zip(PIECES, cosine_similarity(vector[None], weights)[0], strict=True))
        return sorted(words, key=lambda word: -cosine[word])

    table = of_model(model, tokenizer)
    others = ["cat", "dog", "lanka", "men", "sea", "sri", "wo"]
    assert table.near("Women", 9, anything) == order(weights[rows["women"]], others)
    cut = weights[[rows["cat"], rows["##s"]]].mean(0)
    assert table.near("cats", 9, anything) == order(cut, [*others, "women"])
    phrase = weights[[rows["sri"], rows["lanka"]]].mean(0)
    assert table.near("sri lanka", 9, anything) == order(phrase, [*others, "women"])
    assert table.near("zzz", 9, anything) == []


def test_the_real_encoder_knows_words_near_each_other():
    encoder = load_encoder("all-minilm-l6-v2")
    table = of_model(encoder.model, encoder.tokenizer)
    assert len(table) > 20_000
    assert {"woman", "female", "ladies"} <= set(table.near("Women", 5, anything))
    assert table.near("zimbabwean", 1, anything) == ["zimbabwe"]  # which is cut in pieces
    unprotected = table.near("women", 5, lambda word: word not in ("woman", "female", "men"))
    assert len(unprotected) == 5


def test_of_byte_level_tokens_those_behind_a_space_are_words():
    words = ["\u0120cat", "\u0120Dog", "ing", "\u0120", "\u01201", "\u0120sea", "s"]
    vocabulary = {word: at for at, word in enumerate(words)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=None))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    assert word_mark(tokenizer.get_vocab()) == "\u0120"
    table = of_model(bert(len(words)), tokenizer)
    assert sorted(table.near("cat", 9, anything)) == ["Dog", "sea"]


def test_a_mark_that_stands_alone_marks_nothing():
    plain = dict.fromkeys([f"w{at}" for at in range(200)], 0)
    assert word_mark({**plain, "\u2581": 1}) == ""
    assert word_mark({f"\u2581{word}": 0 for word in plain}) == "\u2581"


SEA = ["the ship on the sea", "a ship at sea", "sea and ship and wave", "ship wave 12 b"]
MUSIC = ["the song of music", "a song in music", "music and song and tune", "song tune 12 b"]


def test_words_of_the_same_texts_are_near():
    table = of_texts([*SEA, *MUSIC] * 2, size=4)
    assert set(table.near("ship", 2, anything)) <= {"sea", "wave", "at"}
    assert "song" in table.near("music", 2, anything)
    assert set(table.near("ship sea", 1, anything)) <= {"ship", "sea", "wave"}
    assert table.near("12", 1, anything) == table.near("b", 1, anything) == []
    again = of_texts([*SEA, *MUSIC] * 2, size=4)
    assert again.near("tune", 5, anything) == table.near("tune", 5, anything)


def test_texts_that_are_too_few_are_refused():
    with pytest.raises(UsageError, match=r"no word stands in 2 of the 2 texts; .*least_texts=1"):
        of_texts(["sea", "song"])
    with pytest.raises(UsageError, match="two texts and two words at least, got 2 texts and 1"):
        of_texts(["sea", "sea"])
    assert of_texts(["sea song", "song"], least_texts=1).near("sea", 3, anything) == ["song"]
