"""Finding: one thing that speaks for or against an answer, and the grade of all of them.

Every finding is good, a caution or bad. A: nothing to object; B: one caution; C: several; D:
something bad, the answer must not be used.
"""

from dataclasses import dataclass

GOOD, CAUTION, BAD = "good", "caution", "bad"
ACTIONS = {
    "A": "use it",
    "B": "use it with a margin for what the caution names",
    "C": "use it to compare systems; measure what the cautions name before buying",
    "D": "do not use it",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at: what, its verdict, and the figures in words."""

    name: str
    verdict: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Trust:
    """All findings and the grade."""

    findings: tuple[Finding, ...]

    @property
    def grade(self) -> str:
        """A, B, C or D."""
        verdicts = [finding.verdict for finding in self.findings]
        if BAD in verdicts:
            return "D"
        return "ABC"[min(2, verdicts.count(CAUTION))]

    @property
    def cautions(self) -> str:
        """Everything that speaks against it, in one line."""
        return "; ".join(f"{f.name}: {f.words}" for f in self.findings if f.verdict != GOOD)

    @property
    def action(self) -> str:
        """What a reader may do with the answer."""
        return ACTIONS[self.grade]


def add_caution(grade: str) -> str:
    """The grade of an answer with one caution more: C and D stay what they are."""
    return {"A": "B", "B": "C"}.get(grade, grade)


def weigh(name: str, holds: bool, words: str, otherwise: str = "") -> Finding:
    """Good where something holds, else a caution, in words of its own if there are any."""
    said = words if holds or not otherwise else otherwise
    return Finding(name=name, verdict=GOOD if holds else CAUTION, words=said)
