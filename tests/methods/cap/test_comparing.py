"""One real comparison: by one process and by several, and gone on with."""

import shutil
from functools import partial

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from burnish.methods.cap.arms import OWN, jobs_of
from burnish.methods.cap.comparing import do
from burnish.methods.cap.config import CapConfig
from burnish.runs.jobs import leave, perform, read_result, result_path

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
        objectives=("kd", "cap"), batch_size=16, precision="float32",
    )  # fmt: skip


@pytest.fixture(scope="module")
def compared(config, tmp_path_factory):
    """The home of a comparison that two processes made, the teacher made in this one."""
    home = tmp_path_factory.mktemp("two")
    (teacher,), arms = jobs_of(config, [OWN])
    leave(teacher, partial(do, config, home), home)
    done = []
    perform(arms, partial(do, config, home), home, workers=2, on_done=done.append)
    assert sorted(arm.key for arm in done) == sorted(arm.key for arm in arms)
    return home, teacher, arms


def without_times(result):
    assert all(value > 0 for value in result["seconds"].values())
    return {name: value for name, value in result.items() if name != "seconds"}


def test_results_hold_what_a_table_needs(compared):
    home, teacher, arms = compared
    taught = read_result(home, teacher.key)
    assert set(taught) == {"score", "seconds"}
    assert taught["score"]["count"] == 32
    for arm in arms:
        (stage,) = read_result(home, arm.key)["stages"]
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
    shutil.copy(result_path(two, distilled.key), tmp_path / "arms")
    written = result_path(tmp_path, distilled.key).stat().st_mtime_ns
    done = []
    missing = partial(perform, [distilled, full], partial(do, config, tmp_path), tmp_path)
    missing(workers=1, on_done=done.append)
    assert done == [distilled, full]
    assert result_path(tmp_path, distilled.key).stat().st_mtime_ns == written
    assert without_times(read_result(tmp_path, full.key)) == without_times(
        read_result(two, full.key)
    )
    name = f"models/{full.name}-at-0.5/model.safetensors"
    assert (tmp_path / name).read_bytes() == (two / name).read_bytes()
    missing(workers=1, on_done=done.append)  # all is there: no process is made
    assert done == [distilled, full] * 2


def test_a_job_does_the_same_without_a_process_of_its_own(config, compared, tmp_path):
    two, _, (distilled, _) = compared
    shutil.copytree(two / "teachers", tmp_path / "teachers")
    leave(distilled, partial(do, config, tmp_path), tmp_path)
    assert without_times(read_result(tmp_path, distilled.key)) == without_times(
        read_result(two, distilled.key)
    )
    assert not list(tmp_path.rglob("*.partial"))
