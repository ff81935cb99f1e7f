"""One real comparison: by one process and by several, and gone on with."""

import dataclasses
import shutil

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from burnish.methods.cap.arms import OWN, jobs_of
from burnish.methods.cap.comparing import do, perform, read_result, result_path
from burnish.methods.cap.config import CapConfig

pytestmark = pytest.mark.xdist_group("cap-comparing")  # its fixture is dear


def tokenizer():
    """The words "0" to "35" after four special tokens: 40 tokens, as the tiny model has."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *map(str, range(36))]
    vocabulary = {word: index for index, word in enumerate(words)}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]",
    )  # fmt: skip


@pytest.fixture(scope="module")
def config(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    tiny.classifier(0, num_hidden_layers=2).bert.save_pretrained(folder / "encoder")
    tokenizer().save_pretrained(folder / "encoder")
    rows = "\n".join(f"{row % 3} {row % 7} {row % 11},{row % 3}" for row in range(100))
    (folder / "mine.csv").write_text(f"text,label\n{rows}\n")
    return CapConfig(
        model=str(folder / "encoder"), data=str(folder / "mine.csv"), train_examples=48,
        test_examples=32, max_length=8, teacher_epochs=1, stages=(0.5,), final_epochs=1,
        objectives=("kd", "cap"), batch_size=16, workers=2, precision="float32",
    )  # fmt: skip


@pytest.fixture(scope="module")
def compared(config, tmp_path_factory):
    """The home of a comparison that two processes made, the teacher made in this one."""
    home = tmp_path_factory.mktemp("two")
    (teacher,), arms = jobs_of(config, [OWN])
    do(config, teacher, home)
    done = []
    perform(config, arms, home, done.append)
    assert sorted(arm.key for arm in done) == sorted(arm.key for arm in arms)
    return home, teacher, arms


def without_times(result):
    assert all(value > 0 for value in result["seconds"].values())
    return {name: value for name, value in result.items() if name != "seconds"}


def test_results_hold_what_a_table_needs(compared):
    home, teacher, arms = compared
    taught = read_result(home, teacher)
    assert set(taught) == {"score", "seconds"}
    assert taught["score"]["count"] == 32
    for arm in arms:
        (stage,) = read_result(home, arm)["stages"]
        assert stage["removed"] == {"heads": 4, "ffn": 40}
        assert 0 <= stage["score"]["main"] <= 100
    kept = [path.parent.name for path in (home / "models").rglob("model.safetensors")]
    assert kept == ["yours-s0-first-order-cap-at-0.5"]


def test_what_is_missing_is_done_by_one_process_as_by_two_and_nothing_else(
    config, compared, tmp_path
):
    two, _, (distilled, full) = compared
    shutil.copytree(two / "teachers", tmp_path / "teachers")
    (tmp_path / "arms").mkdir()
    shutil.copy(result_path(two, distilled), tmp_path / "arms")
    before = result_path(tmp_path, distilled).stat().st_mtime_ns
    done = []
    alone = dataclasses.replace(config, workers=1)
    perform(alone, [distilled, full], tmp_path, done.append)
    assert done == [distilled, full]
    assert result_path(tmp_path, distilled).stat().st_mtime_ns == before
    assert without_times(read_result(tmp_path, full)) == without_times(read_result(two, full))
    name = f"models/{full.key}-at-0.5/model.safetensors"
    assert (tmp_path / name).read_bytes() == (two / name).read_bytes()
    perform(alone, [distilled, full], tmp_path, done.append)  # all is there: no process is made
    assert done == [distilled, full] * 2


def test_a_job_does_the_same_without_a_process_of_its_own(config, compared, tmp_path):
    two, _, (distilled, _) = compared
    shutil.copytree(two / "teachers", tmp_path / "teachers")
    do(config, distilled, tmp_path)
    assert without_times(read_result(tmp_path, distilled)) == without_times(
        read_result(two, distilled)
    )
    assert not list(tmp_path.rglob("*.partial"))
