"""`burnish cap VERB` through the real command line, with a user's mistakes."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
)

from burnish.cli.main import main
from burnish.models import AutoPruned, save_pruned

WORDS = [f"w{number}" for number in range(116)]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
# Enough steps after the first cut that a kill comes before the end.
ASKED = (
    "--data", "reviews.csv", "--sparsity", "0.4", "--sparsity", "0.7", "--epochs", "6",
    "--final-epochs", "4", "--batch-size", "16", "--learning-rate", "1e-3", "--max-length", "16",
    "--teacher-learning-rate", "2e-3", "--teacher-epochs", "8", "--extra", "64",
    "--precision", "float32", "--test", "80",
)  # fmt: skip
SHORT = ("--data", "reviews.csv", "--max-length", "16", "--extra", "16", "--precision", "float32")


def line(*arguments):
    return [sys.executable, "-m", "burnish.cli.main", "cap", *map(str, arguments)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with tiny models, their tokenizers and data, made once."""
    home = tmp_path_factory.mktemp("world")
    save(home / "encoder", BertModel)
    save(home / "classifier", BertForSequenceClassification, id2label={0: "bad", 1: "good"})
    save(home / "three", BertForSequenceClassification, num_labels=3)
    save(home / "others", BertForSequenceClassification, id2label={0: "ham", 1: "spam"})
    save(home / "wide", BertForSequenceClassification, hidden_size=48)
    save(home / "words", BertForSequenceClassification, words=WORDS[::-1])
    save(home / "answerer", BertForQuestionAnswering)
    write_reviews(home / "reviews.csv")
    write_questions(home / "questions.jsonl")
    (home / "garbage.onnx").write_bytes(b"no graph")
    return home


def save(folder, kind, *, words=WORDS, **changes):
    shape = {
        "vocab_size": 120,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 40,
        "max_position_embeddings": 32,
        "initializer_range": 0.2,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_pruned(kind(BertConfig(**shape | changes)), folder, tokenizer_of(words))
    config = json.loads((folder / "config.json").read_text())
    config.pop("burnish_pruned")
    (folder / "config.json").write_text(json.dumps(config))


def tokenizer_of(words):
    vocabulary = {
        token: index for index, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])
    }
    inner = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
        sep_token="[SEP]", model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip


def write_reviews(path):
    """Good and bad reviews have words of their own."""
    draw = random.Random(0)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label", "share", "id", "twice"])
        for number in range(240):
            known = WORDS[:58] if number % 2 else WORDS[58:]
            text = " ".join(draw.choices(known, k=draw.randint(4, 12)))
            label = ["bad", "good"][number % 2]
            rows.writerow([text, label, number % 2 + 0.5, 7 * number, number // 2])


def write_questions(path):
    draw = random.Random(1)
    with path.open("w") as file:
        for _ in range(90):
            words = draw.sample(WORDS, 8)
            at = draw.randrange(8)
            start = len(" ".join(words[:at])) + (at > 0)
            row = {"context": " ".join(words), "question": words[at], "answer": words[at]}
            file.write(json.dumps(row | {"answer_start": start}) + "\n")


@pytest.fixture(scope="module")
def shell(world):
    """Calls the real command line in a process of its own."""

    def call(*arguments):
        return subprocess.run(
            line(*arguments), capture_output=True, text=True, cwd=world, env=ENVIRONMENT,
            timeout=120,
        )  # fmt: skip

    return call


@pytest.fixture
def burnish(world, monkeypatch, capfd):
    """Calls the command line in this process; gives exit code, standard output and error."""
    monkeypatch.chdir(world)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["burnish", "cap", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return ended.value.code, out, err

    yield call
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pruned(shell):
    """What an undisturbed pruning printed; its folder is `whole`."""
    done = shell("prune", "encoder", "-o", "whole", *ASKED, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) | {"stderr": done.stderr}


def test_prune_leaves_a_plain_model_what_stays_and_how_it_went(world, pruned):
    folder = world / "whole"
    assert sorted(each.name for each in folder.iterdir()) == [
        "history.json", "keep.safetensors", "pruned", "teacher",
    ]  # fmt: skip
    history = json.loads((folder / "history.json").read_text())
    assert history == {k: v for k, v in pruned.items() if k not in ("out", "stderr")}
    assert [stage["sparsity"] for stage in history["stages"]] == [0.4, 0.7]
    assert history["stages"][1]["removed"] == {"heads": 5, "ffn": 56}
    assert history["stages"][1]["total"] == {"heads": 8, "ffn": 80}
    kept = history["retained"]
    assert kept["ratio"] == kept["numerator"] / kept["denominator"]
    assert kept["denominator"] == history["teacher"]["accuracy_percent"] > 75
    assert kept["numerator"] == history["model"]["accuracy_percent"]
    assert history["examples"] == {"train": 160, "test": 80}
    assert "fine-tuning the teacher: 80/80" in pruned["stderr"]
    assert "pruning: 100/100" in pruned["stderr"]
    model = AutoModelForSequenceClassification.from_pretrained(folder / "pruned")
    assert model.config.id2label == {0: "bad", 1: "good"}
    stay = load_file(folder / "keep.safetensors")
    for number, layer in enumerate(model.bert.encoder.layer):
        used = layer.intermediate.dense.weight.abs().sum(1).nonzero().flatten()
        assert torch.equal(used, stay[f"layer.{number}.units"])
    assert AutoTokenizer.from_pretrained(folder / "pruned")("w3")["input_ids"] == [2, 7, 3]


def test_compact_export_latency_and_probe_of_what_was_pruned(world, pruned, shell):
    cut = shell("compact", "whole", "-o", "small", "--json")
    assert cut.returncode == 0, cut.stderr
    sizes = json.loads(cut.stdout)
    small = AutoPruned.from_pretrained(world / "small", device="cpu")
    assert sizes["parameters_after"] == sum(each.numel() for each in small.parameters())
    assert sizes["parameters_after"] < 0.75 * sizes["parameters_before"]
    zeros = AutoModelForSequenceClassification.from_pretrained(world / "whole" / "pruned").eval()
    ids = torch.arange(4, 24).view(2, 10)
    with torch.no_grad():
        torch.testing.assert_close(small(ids).logits, zeros(ids).logits, atol=1e-5, rtol=0)

    written = shell("export", "small", "-o", "small.onnx", "--json")
    assert written.returncode == 0, written.stderr
    files = json.loads(written.stdout)
    for kind in ("onnx", "int8"):
        assert files[f"{kind}_bytes"] == (world / files[kind]).stat().st_size
    assert files["int8"] == "small-int8.onnx"

    timed = shell(
        "latency", "whole/teacher", "small", "small.onnx", "small-int8.onnx",
        "--tokens", 16, "--repeats", 3, "--json",
    )  # fmt: skip
    assert timed.returncode == 0, timed.stderr
    rows = json.loads(timed.stdout)["rows"]
    assert [row["runtime"] for row in rows] == ["torch", "torch", "onnxruntime", "onnxruntime"]
    assert rows[0]["speedup"] == 1
    assert all(0 < row["cpu_min_ms"] <= row["cpu_median_ms"] for row in rows)

    probed = shell("probe", "encoder", "small", "whole", "--data", "reviews.csv", "--json")
    assert probed.returncode == 0, probed.stderr
    found = json.loads(probed.stdout)
    assert (found["train"], found["test"], found["majority_percent"]) == (160, 80, 50)
    encoder, compacted, masked = (row["accuracy_percent"] for row in found["rows"])
    assert compacted == masked > 70
    assert encoder > 50


@pytest.fixture(scope="module")
def killed(world, pruned):
    """The same pruning, killed in the first stage's training, when masks and banks are there."""
    process = subprocess.Popen(
        line("prune", "encoder", "-o", "killed", *ASKED), cwd=world, env=ENVIRONMENT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + 60
    while not (world / "killed/work/pruning/pruning.json").exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (world / "killed/history.json").exists()
    return world / "killed"


@pytest.fixture
def unfinished(killed, world, tmp_path):
    """A copy of the killed pruning, and its options."""
    return shutil.copytree(killed, tmp_path / "unfinished")


def test_a_killed_pruning_goes_on_to_the_same_masks_and_weights(burnish, world, pruned, unfinished):
    code, out, err = burnish("prune", "encoder", "-o", unfinished, *ASKED, "--resume", "--json")
    assert code == 0, err
    stages = json.loads(out)["stages"]
    assert stages == pruned["stages"]
    for name in ("pruned/model.safetensors", "keep.safetensors", "teacher/model.safetensors"):
        assert (unfinished / name).read_bytes() == (world / "whole" / name).read_bytes()
    assert not (unfinished / "work").exists()


def test_a_pruning_that_was_killed_before_its_first_cut_starts_over(burnish, pruned, unfinished):
    """The bank of the first scoring is there, but nothing says so."""
    (unfinished / "work/pruning/pruning.json").unlink()
    code, out, err = burnish("prune", "encoder", "-o", unfinished, *ASKED, "--resume", "--json")
    assert code == 0, err
    assert json.loads(out)["stages"] == pruned["stages"]


def test_a_finished_pruning_is_only_shown_again(burnish, world, pruned):
    before = (world / "whole/history.json").stat().st_mtime_ns
    code, out, err = burnish("prune", "encoder", "-o", "whole", *ASKED, "--resume", "--json")
    assert code == 0, err
    assert json.loads(out) == {k: v for k, v in pruned.items() if k != "stderr"}
    assert (world / "whole/history.json").stat().st_mtime_ns == before


def test_an_interrupted_pruning_says_how_to_go_on(burnish, world, monkeypatch):
    from burnish.methods.cap import single

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(single, "fine_tune", interrupt)
    code, out, err = burnish("prune", "encoder", "-o", "stopped", *SHORT)
    assert (code, out) == (130, "")
    assert re.search(r"go on with: burnish cap prune encoder -o stopped .*--resume$", err.strip())
    code, _, err = burnish("compact", "stopped", "-o", "never")
    assert code == 2
    assert "not finished" in err


def refused(result, said):
    code, out, err = result
    assert code == 2, err
    assert out == ""
    assert "Traceback" not in err
    lines = [text for text in err.splitlines() if text.startswith("burnish: ")]
    assert len(lines) == 1, err
    assert re.search(said, lines[0]), lines[0]


PRUNING = {
    "model": (("nowhere",), "no model 'nowhere'"),
    "set": (("encoder", "--data", "twets"), "did you mean 'tweets'"),
    "file": (("encoder", "--data", "./no.csv"), "no.csv is neither a file"),
    "column": (("encoder", "--label", "colour"), "no column 'colour'.*'label'"),
    "float labels": (("encoder", "--label", "share"), "column 'share', must be a class index.*0.5"),
    "tau": (("encoder", "--tau", "0"), "--tau.*not in the range x>0"),
    "no number": (("encoder", "--tau", "nan"), "--tau: input should be greater than 0, got nan"),
    "lambda": (("encoder", "--lambda-u", "-1"), "at least 0, or auto, got -1"),
    "stages": (("encoder", "--sparsity", ".7", "--sparsity", ".4"), "above the one before"),
    "share": (("encoder", "--sparsity", "1.5"), "not in the range 0<x<1"),
    "heads": (("encoder", "--sparsity", ".9"), "while each layer keeps one; at most 75.0% can"),
    "curve": (
        ("encoder", "--criterion", "movement", "--sparsity", ".5", "--sparsity", ".9"),
        "to one --sparsity, got 0.5, 0.9",
    ),
    "threshold": (
        ("encoder", "--criterion", "soft-movement", "--sparsity", ".9"),
        "leave --sparsity out",
    ),
    "tokenizer": (("encoder", "--teacher", "words"), "must share a tokenizer.*120 tokens"),
    "hidden size": (("encoder", "--teacher", "wide"), "have 32 and 48; add --projection"),
    "classes": (("encoder", "--teacher", "three"), "are 3 without names, those of the data"),
    "class names": (("encoder", "--teacher", "others"), "must be one of ham, spam, but is 'bad'"),
    "teacher": (("encoder", "--teacher", "encoder"), "saved as BertModel.*no classification head"),
    "no ids": (("encoder", "--id", "number"), "no column 'number'"),
    "ids": (("encoder", "--id", "twice"), "column 'twice', must be an id of its own, but 0 is"),
    "qa data": (
        ("classifier", "--task", "qa", "--data", "questions.jsonl"),
        "BertForSequenceClassification, which has no qa head",
    ),
    "qa model": (("answerer",), "BertForQuestionAnswering, which has no classification head"),
    "length": (("encoder", "--max-length", "64"), None),
    "train": (("encoder", "--train", "500"), "leaves 160 examples to train on, 500"),
    "embedded": (("encoder", "--data", "tweets", "--text", "t"), "knows its columns.*--text"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "said"), PRUNING.values(), ids=PRUNING)
def test_a_mistake_gets_one_line_before_anything_is_trained(burnish, world, arguments, said):
    given = dict(zip(SHORT[::2], SHORT[1::2], strict=True))
    options = [part for name, value in given.items() if name not in arguments
               for part in (name, value)]  # fmt: skip
    if said is None:
        (world / "long.csv").write_text("text,label\n" + f"{'w1 ' * 40},a\nw2,b\n" * 9)
        arguments, said = (*arguments, "--data", "long.csv"), "--max-length 64 is more than the 32"
        options = options[4:]
    refused(burnish("prune", *arguments, "-o", "refused", *options), said)
    assert not (world / "refused").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compact", "encoder", "-o", "x"), "no folder of a pruning"),
        (("compact", "whole", "-o", "encoder"), "encoder is not empty"),
        (("export", "garbage.onnx", "-o", "x.onnx", "--int8"), "single file"),
        (("export", "reviews", "-o", "x.onnx", "--int8"), "no model 'reviews'"),
        (("export", "encoder", "-o", "x.bin"), "ends in .onnx, got x.bin"),
        (("latency", "encoder", "whole"), "whole holds zeros.*make nothing faster.*cap compact"),
        (("latency", "whole/pruned"), "whole/pruned holds zeros"),
        (("latency", "encoder", "no.onnx", "--tokens", "8"), "no.onnx is no file"),
        (("latency", "garbage.onnx"), "cannot run garbage.onnx"),
        (("latency", "encoder", "--tokens", "64"), "at most 32 tokens, --tokens asks for 64"),
        (("latency",), "Missing argument"),
        (("probe", "nowhere", "--data", "reviews.csv"), "no model 'nowhere'"),
        (
            ("probe", "encoder", "--data", "questions.jsonl", "--task", "qa"),
            "a probe classifies",
        ),
        (("prune", "encoder", "-o", "whole", *SHORT), "whole is not empty; add --resume"),
        (("prune", "encoder", "-o", "encoder", *SHORT, "--resume"), "no pruning to go on with"),
        (("prune", "encoder", "-o", "whole", *ASKED, "--tau", ".3", "--resume"),
         "whole was begun with tau 0.1, now it is 0.3"),
    ],
)  # fmt: skip
def test_other_mistakes_get_one_line_too(burnish, pruned, arguments, said):
    refused(burnish(*arguments), said)


def test_resume_with_other_settings_or_other_data_is_refused(burnish, world, unfinished):
    asked = ("prune", "encoder", "-o", unfinished, *ASKED, "--resume")
    refused(burnish(*asked, "--lambda-s", "1"), "begun with lambda_s 0.005, now it is 1.0")
    refused(burnish(*asked, "--train", "64"), "begun with data sha256")
    refused(burnish(*asked, "--teacher", "classifier"), "begun with teacher")


def test_resume_after_a_bank_was_changed_is_refused(burnish, unfinished):
    bank = unfinished / "work/pruning/banks/pre.f16"
    raw = bytearray(bank.read_bytes())
    raw[5] ^= 1
    bank.write_bytes(raw)
    refused(
        burnish("prune", "encoder", "-o", unfinished, *ASKED, "--resume"),
        "bank .*pre.f16 has changed since it was written",
    )


def test_single_weights_are_pruned_but_not_cut_out(burnish, world):
    """A fine-tuned model is its own teacher; zeros are timed as what they are worth, as CSR."""
    code, out, err = burnish(
        "prune", "classifier", "-o", "sparse", *SHORT, "--criterion", "movement",
        "--sparsity", ".8", "--json",
    )  # fmt: skip
    assert code == 0, err
    history = json.loads(out)
    assert history["stages"][0]["reached"] == pytest.approx(0.8, abs=0.005)
    assert history["teacher"] is not None
    assert not (world / "sparse/teacher").exists()
    assert not (world / "sparse/keep.safetensors").exists()
    refused(burnish("compact", "sparse", "-o", "never"), "zeros scattered in weight matrices")
    code, out, err = burnish("latency", "classifier", "sparse", "--tokens", 8, "--repeats", 1,
                             "--json")  # fmt: skip
    assert code == 0, err
    assert [row["runtime"] for row in json.loads(out)["rows"]] == ["torch", "torch, CSR"]


def test_more_keys_than_examples_are_a_warning(burnish):
    given = ("--data", "reviews.csv", "--max-length", "16", "--precision", "float32")
    code, out, err = burnish(
        "prune", "classifier", "-o", "warned", *given, "--extra", 900, "--sparsity", ".5",
        "--objective", "cap",
    )  # fmt: skip
    assert (code, out) == (0, ""), err
    assert "burnish: warning: extra=900 keys cannot be drawn from 160 examples; 80 are" in err
    assert "make it small: burnish cap compact warned" in err


def test_labels_alone_need_no_teacher(burnish, world):
    code, out, err = burnish("prune", "encoder", "-o", "alone", *SHORT, "--objective", "ce",
                             "--sparsity", ".5", "--id", "id", "--train", 64, "--json")  # fmt: skip
    assert code == 0, err
    history = json.loads(out)
    assert history["teacher"] is history["retained"]["ratio"] is None
    assert history["examples"] == {"train": 64, "test": 80}
    assert not (world / "alone/teacher").exists()


def test_a_wider_teacher_teaches_through_a_projection(burnish):
    code, out, err = burnish("prune", "encoder", "-o", "projected", *SHORT, "--teacher", "wide",
                             "--projection", "--sparsity", ".5", "--json")  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["settings"]["projection"] is True


def test_questions_are_answered_by_a_pruned_model(burnish, world):
    code, out, err = burnish(
        "prune", "answerer", "-o", "answers", "--data", "questions.jsonl", "--task", "qa",
        "--max-length", 10, "--stride", 3, "--extra", 8, "--sparsity", ".5", "--json",
    )  # fmt: skip
    assert code == 0, err
    history = json.loads(out)
    assert set(history["model"]) == {"f1_percent", "exact_percent"}
    assert history["examples"]["train"] > 60, "a long context takes several rows"
    code, _, err = burnish("compact", "answers", "-o", "answers-small")
    assert code == 0, err
    assert "parameters are now" in err


def test_a_damaged_keep_file_is_named(burnish, world, pruned, tmp_path):
    copied = shutil.copytree(world / "whole", tmp_path / "whole")
    save_file({"odd": torch.ones(1), "even": torch.ones(1)}, copied / "keep.safetensors")
    refused(burnish("compact", copied, "-o", tmp_path / "x"), "keep.safetensors is damaged")


def test_tables_for_people_go_to_standard_output(burnish, world):
    code, out, err = burnish("probe", "encoder", "classifier", "--data", "reviews.csv")
    assert code == 0, err
    assert re.search(r"classifier\s+│\s+\d+\.\d\d", out)
    assert "majority_percent: 50.00" in out
