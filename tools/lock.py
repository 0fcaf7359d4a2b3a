"""Write locks/: every dependency with its version and the hashes of its files. Run by `make lock`.

run.txt         what an installation needs                   the list of the SBOM
dev.txt         that and what a contributor needs            what `make` and CI install, with --require-hashes
kerberos.txt    gssapi, which is compiled against the machine's Kerberos and so in no other list

One list serves all Pythons from 3.11 on: a line says for which it is (`; python_version < '3.13'`).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LISTS = {"run": [], "dev": ["--extra", "dev"], "kerberos": ["--extra", "kerberos"]}
HEAD = "# Made by `make lock` from pyproject.toml. Do not edit.\n"
OPTIONS = ["--universal", "--generate-hashes", "--python-version", "3.11", "--no-header", "--no-annotate", "--quiet"]


def compile_list(extras: list[str], constraint: Path | None) -> str:
    """Return the lines of one list; versions are those of `constraint` where it has them."""
    command = [str(Path(sys.executable).parent / "uv"), "pip", "compile", "pyproject.toml", *extras, *OPTIONS]
    if constraint is not None:
        command += ["--constraint", str(constraint)]
    else:
        command += ["--upgrade"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def entries(text: str) -> dict[str, str]:
    """Take a list apart: a requirement's first line to all of its lines."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines(keepends=True):
        if line[0] not in " #":
            name = line
            found[name] = ""
        found[name] += line
    return found


def main() -> None:
    folder = ROOT / "locks"
    folder.mkdir(exist_ok=True)
    development = folder / "dev.txt"
    development.write_text(HEAD + compile_list(LISTS["dev"], None))
    (folder / "run.txt").write_text(HEAD + compile_list(LISTS["run"], development))
    known = entries(development.read_text().removeprefix(HEAD))
    more = entries(compile_list(LISTS["kerberos"], development))
    own = [lines for name, lines in more.items() if name not in known]
    (folder / "kerberos.txt").write_text(HEAD + "".join(own))


if __name__ == "__main__":
    main()
