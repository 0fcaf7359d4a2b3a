"""Ask the vulnerability service of PyPI about every dependency in the lock files; run by `make audit`.

Exit code 1 if one is known to be vulnerable. Where the service cannot be reached, for all or for some, this is said and is no
failure: nothing was found out, which is not the same as nothing found. `--strict` makes it one, for releases.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TIMEOUT_S = 120


def ask(lists: list[str]) -> list[dict[str, Any]] | None:
    """Return what the service says of each dependency, None if it says nothing."""
    command = [str(Path(sys.executable).parent / "pip-audit"), "--disable-pip", "--require-hashes", "--format", "json"]
    for name in lists:
        command += ["--requirement", name]
    try:
        done = subprocess.run(
            [*command, "--progress-spinner", "off", "--timeout", "5"], capture_output=True, text=True, check=False,
            timeout=TIMEOUT_S,
        )  # fmt: skip
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None
    return found


def main() -> int:
    strict = "--strict" in sys.argv
    found = ask([name for name in sys.argv[1:] if name != "--strict"]) or []
    unknown = [row["name"] for row in found if "skip_reason" in row]
    vulnerable = [row for row in found if row.get("vulns")]
    for row in vulnerable:
        for problem in row["vulns"]:
            names = ", ".join([problem["id"], *problem.get("aliases", [])])
            fixed = ", ".join(problem.get("fix_versions", [])) or "nothing yet"
            print(f"{row['name']} {row['version']}: {names}; fixed in {fixed}")
    asked = len(found) - len(unknown)
    if not asked:
        print("NOT AUDITED: the vulnerability service of PyPI cannot be reached from here")
    else:
        print(f"{asked} dependencies audited, {len(vulnerable)} vulnerable, {len(unknown)} unknown to the service")
    return 1 if vulnerable or (strict and (not asked or unknown)) else 0


if __name__ == "__main__":
    sys.exit(main())
