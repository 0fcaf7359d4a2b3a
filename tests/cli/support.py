"""Runs the command line in this process, as a script would see it: exit code, bytes on stdout, text on stderr."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import Any, NamedTuple

from ottla.cli.main import main


class Ran(NamedTuple):
    """What came of a call."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


class Cli:
    """`cli("topic", "list")` on one cluster."""

    def __init__(self, bootstrap: str | None) -> None:
        self.bootstrap = bootstrap

    def call(self, *words: str, stdin: bytes = b"") -> Ran:
        """Run it, whatever comes."""
        out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
        before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
        more = () if self.bootstrap is None or words[0] == "completion" else ("-b", self.bootstrap)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main([*words, *more])
        finally:
            sys.stdin = before
        out.flush()
        assert isinstance(out.buffer, io.BytesIO)
        return Ran(code, out.buffer.getvalue(), err.getvalue())

    def __call__(self, *words: str, stdin: bytes = b"") -> str:
        """Run what must succeed; what it printed."""
        ran = self.call(*words, stdin=stdin)
        assert ran.code == 0, ran.err
        return ran.text

    def json(self, *words: str) -> Any:
        """Run what must succeed; what it prints for programs."""
        return json.loads(self(*words, "--json"))

    def fails(self, *words: str, stdin: bytes = b"", code: int = 1) -> str:
        """Run what must fail; what it said."""
        ran = self.call(*words, stdin=stdin)
        assert ran.code == code, (ran.code, ran.err, ran.text)
        assert "next:" in ran.err
        assert "Traceback" not in ran.err
        return ran.err
