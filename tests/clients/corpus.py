"""A text corpus made of what Debian packages and language toolchains ship: documentation, headers, source text.

Lines are what real text is: 1 byte to some KiB, many alphabets. Left out are files that are not UTF-8 and those with carriage
returns or NUL (the console producer reads text, and splits at \\r), blank lines (kcat does not send them) and lines beyond
LINE_LIMIT. Files are taken in a shuffled order with a fixed seed, so a short corpus is as mixed as a long one.
"""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Iterator
from pathlib import Path

from tests.support.jars import CACHE

SOURCES = (
    "/usr/share/doc",
    "/usr/lib/python3",
    "/usr/lib/python3.11",
    "/usr/include",
    "/usr/share/perl",
    "/usr/share/misc",
)
#: Looked into only if the packages' own do not fill the corpus.
MORE_SOURCES = ("/usr/local/go/src", "/usr/lib/go", "/usr/lib/node_modules", "/usr/local/lib", "/usr/share")
SUFFIXES = {".txt", ".md", ".rst", ".html", ".py", ".h", ".hpp", ".go", ".js", ".pl", ".pm", ".gz", ".json", ".css", ""}
LINE_LIMIT = 100_000
FILE_LIMIT = 2 << 20
SEED = 20


def _files(sources: tuple[str, ...]) -> list[Path]:
    found: list[Path] = []
    for source in sources:
        for folder, _, names in os.walk(source):
            found += [Path(folder, name) for name in names if Path(name).suffix in SUFFIXES]
    found.sort()
    random.Random(SEED).shuffle(found)
    return found


def _text(path: Path) -> bytes:
    """The file's text; empty if it is none."""
    try:
        if not path.is_file() or path.is_symlink():
            return b""
        raw = path.read_bytes()[:FILE_LIMIT]
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
        raw.decode()
    except (OSError, EOFError, ValueError):  # unreadable, cut short or not UTF-8: not part of the corpus
        return b""
    return b"" if b"\0" in raw or b"\r" in raw else raw


def _lines(sources: tuple[str, ...]) -> Iterator[bytes]:
    for path in _files(sources):
        for line in _text(path).split(b"\n"):
            if line.strip() and len(line) <= LINE_LIMIT:
                yield line


def corpus(size_mb: float) -> Path:
    """The file with at least `size_mb` MB of lines; made once and kept in the cache."""
    path = CACHE / f"corpus-{size_mb:g}.txt"
    if path.exists():
        return path
    CACHE.mkdir(parents=True, exist_ok=True)
    work = path.with_suffix(f".{os.getpid()}")
    written, wanted = 0, int(size_mb * 1e6)
    with work.open("wb") as sink:
        for sources in (SOURCES, MORE_SOURCES):
            for line in _lines(sources):
                written += sink.write(line + b"\n")
                if written >= wanted:
                    break
            if written >= wanted:
                break
    if written < wanted:
        work.unlink()
        raise RuntimeError(
            f"this machine's packages hold only {written / 1e6:.0f} MB of text; install some, e.g. apt install linux-doc"
        )
    work.rename(path)
    return path
