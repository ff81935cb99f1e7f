"""Files that are written whole or not at all."""

from __future__ import annotations

import pytest

from burnish.errors import UsageError
from burnish.methods.nlpguard.fresh_files import check_free, written


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "words.json"
    path.write_text("signed")
    with pytest.raises(RuntimeError, match="killed"), written(path) as half:
        _die_while_writing(half)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["signed"]
    with written(path) as half:
        half.write_text("new")
        assert path.read_text() == "signed"
    assert [each.read_text() for each in tmp_path.iterdir()] == ["new"]


def test_folders_above_are_made_and_an_error_is_a_line(tmp_path):
    with written(tmp_path / "a" / "b.txt") as half:
        half.write_text("x")
    assert (tmp_path / "a" / "b.txt").read_text() == "x"
    message = "cannot be written: (File exists|Not a directory); name another place"
    with pytest.raises(UsageError, match=message), written(tmp_path / "a" / "b.txt" / "c"):
        pass


def test_a_check_makes_nothing(tmp_path):
    check_free([tmp_path / "a" / "b.txt"], read=[tmp_path / "c.txt", "owner/name"])
    assert not list(tmp_path.iterdir())


def test_another_spelling_of_a_file_that_is_read_is_refused(tmp_path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "in.csv")
    (tmp_path / "in.csv").write_text("text\n")
    with pytest.raises(UsageError, match=r"link\.csv is read by the same call"):
        check_free([tmp_path / "link.csv"], read=[tmp_path / "in.csv"], overwrite=True)


def _die_while_writing(path):
    path.write_text("no")
    raise RuntimeError("killed")
