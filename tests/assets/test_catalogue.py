from __future__ import annotations

import re
from pathlib import Path

import pytest

from burnish.assets import ASSETS, File, asset, markdown_table
from burnish.errors import AssetError, UsageError

PAGE = Path(__file__).parents[2] / "docs" / "assets.md"


def test_the_docs_show_the_catalogue():
    shown = re.search(r"<!-- catalogue -->\n(.*)\n<!-- /catalogue -->", PAGE.read_text(), re.S)
    assert shown, f"{PAGE} needs <!-- catalogue --> and <!-- /catalogue -->"
    assert shown[1] == markdown_table(), f"paste burnish.assets.markdown_table() into {PAGE}"


def test_every_entry_is_pinned():
    for name, entry in ASSETS.items():
        assert entry.name == name
        assert entry.licence
        assert len({file.path for file in entry.files}) == len(entry.files) > 0
        for pinned in (*entry.files, *entry.sources):
            assert re.fullmatch(r"[0-9a-f]{64}", pinned.sha256)
            assert pinned.size > 0


@pytest.mark.parametrize(
    "path",
    ["../evil", "a/../../evil", "/etc/evil", "C:\\evil", "C:evil", "a\\..\\..\\evil", "", "."],
)
def test_a_file_outside_the_folder_cannot_be_listed(path):
    with pytest.raises(AssetError, match="must lie inside its folder"):
        File(path, "0" * 64, 1)


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(UsageError, match="did you mean 'smollm2-135m-instruct'"):
        asset("smollm2-135m")
    with pytest.raises(
        UsageError, match="there are: smollm2-135m-instruct, all-minilm-l6-v2, dreaddit"
    ):
        asset("?")
