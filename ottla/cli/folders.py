"""Where data lives when nobody says: the user's own data folder, so that no root and no setting is needed."""

from __future__ import annotations

import os
from pathlib import Path


def default_data_dir() -> Path:
    """$XDG_DATA_HOME/ottla, which is ~/.local/share/ottla on most machines."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "ottla"
