"""The form of the files in tests/scripts: paragraphs of one command, `----`, and what is expected to happen."""

from __future__ import annotations


class Step:
    """A command with the comment above it and the printout below."""

    def __init__(self, comment: list[str], command: str, expected: list[str]) -> None:
        self.comment, self.command, self.expected = comment, command, expected


def read_steps(text: str) -> list[Step]:
    """Split a script into steps; comments stay with the step they precede."""
    steps = []
    for paragraph in text.strip().split("\n\n"):
        lines = paragraph.splitlines()
        comment = [line for line in lines if line.startswith("#")]
        rest = [line for line in lines if not line.startswith("#")]
        command, expected = (rest[0], rest[2:]) if rest else ("", [])
        steps.append(Step(comment, command, expected))
    return steps


def write_steps(steps: list[Step]) -> str:
    """Write steps back as text."""
    paragraphs = []
    for step in steps:
        lines = [*step.comment, *([step.command, "----", *step.expected] if step.command else [])]
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs) + "\n"
