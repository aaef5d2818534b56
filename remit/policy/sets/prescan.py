"""A look at policy text before Cedar's parser sees it: size, nesting, operands, invisible characters.

The parser is recursive and has no limit of depth: some hundred brackets end the process, on a thread with a small stack
some forty (cedar-policy/cedar pull request 2383 is about that). So depth is bounded here, by a scanner that knows only
strings, comments and single marks, and is as strict as the parser about where those end. It does not judge grammar.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from remit.policy.sets.findings import Finding
from remit.policy.sets.yielding import giving_way

__all__ = [
    "GOVERNED", "MAX_FILE", "MAX_NESTING", "MAX_OPERANDS", "MAX_POLICIES", "MAX_POLICY", "PLAIN", "Bounds", "Statement",
    "scan",
]  # fmt: skip

MAX_FILE = 4 << 20
"""Characters of one policy file."""
MAX_POLICY = 64 << 10
"""Characters of one policy."""
MAX_POLICIES = 10_000
"""Policies of one file."""
MAX_NESTING = 32
"""Depth of brackets of one policy; each ``if`` counts as one, for ``else if`` chains nest in the tree."""
MAX_OPERANDS = 256
"""Operators of one policy: a long flat chain is a deep tree, and passes over it recurse."""


class Bounds(NamedTuple):
    """How much of one text the parser is shown."""

    file: int
    policies: int
    policy: int
    nesting: int
    operands: int
    deceptive: bool
    """Whether characters that hide what a policy says are let through."""


GOVERNED = Bounds(MAX_FILE, MAX_POLICIES, MAX_POLICY, MAX_NESTING, MAX_OPERANDS, deceptive=False)
"""For what governs a home."""
PLAIN = Bounds(64 << 20, 100_000, 1 << 20, 300, 4_096, deceptive=True)
"""For other people's corpora, run as they are: what the parser survives on a large stack, with room to spare."""

_EACH = 64
"""Tokens between two looks at the time: each takes a microsecond."""
_PART = 16 << 10
"""Characters that are looked through for invisible ones between two looks at the time."""
# Strings and comments end where Cedar's lexer ends them: a carriage return ends a comment too.
_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*")|(?P<comment>//[^\n\r]*)|(?P<word>[^\W\d]\w*)|(?P<operator>&&|\|\||[=!<>]=|::)|(?P<mark>\S)"""
)
_OPENERS = frozenset("([{")
_CLOSERS = frozenset(")]}")
_OPERATOR_WORDS = frozenset({"if", "in", "is", "has", "like"})
_OPERATOR_MARKS = frozenset("+-*<>!.[")
# Bidirectional controls and zero-width characters let a policy read differently from what it says (CVE-2021-42574).
_DECEPTIVE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class Statement(NamedTuple):
    """The text of one policy, and the line where it begins."""

    text: str
    line: int


class _Open:
    """The statement that is being scanned."""

    __slots__ = ("depth", "ifs", "line", "operands", "peak", "start")

    def __init__(self, start: int, line: int) -> None:
        self.start = start
        self.line = line
        self.depth = self.ifs = self.operands = self.peak = 0

    def take(self, kind: str | None, lexeme: str) -> None:
        if kind == "word":
            self.ifs += lexeme == "if"
            self.operands += lexeme in _OPERATOR_WORDS
        elif kind == "operator":
            self.operands += lexeme != "::"
        elif lexeme in _OPENERS:
            self.depth += 1
            self.operands += lexeme in _OPERATOR_MARKS
        elif lexeme in _CLOSERS:
            self.depth = max(0, self.depth - 1)
        elif lexeme in _OPERATOR_MARKS:
            self.operands += 1
        self.peak = max(self.peak, self.depth + self.ifs)

    def fault(self, size: int, bounds: Bounds) -> str:
        if size > bounds.policy:
            return f"the policy has {size} characters, at most {bounds.policy} are taken"
        if self.peak > bounds.nesting:
            return f"the policy nests deeper than {bounds.nesting}"
        if self.operands > bounds.operands:
            return f"the policy has more than {bounds.operands} operators"
        return ""


def scan(file: str, text: str, bounds: Bounds = GOVERNED) -> tuple[list[Statement], list[Finding]]:
    """Split a file into policies and refuse what must not reach the parser.

    With any finding, no statement of the file may be parsed.
    """
    if len(text) > bounds.file:
        return [], [Finding(file, f"the file has more than {bounds.file} characters")]
    findings = [] if bounds.deceptive else _deceptive(file, text)
    statements: list[Statement] = []
    current: _Open | None = None
    line, counted = 1, 0
    for match in giving_way(_TOKEN.finditer(text), _EACH):
        kind = match.lastgroup
        if kind == "comment":
            continue
        if current is None:
            line += text.count("\n", counted, match.start())
            counted = match.start()
            current = _Open(match.start(), line)
        lexeme = match[0]
        current.take(kind, lexeme)
        # A semicolon ends a policy wherever it stands: Cedar has no other use for it.
        if lexeme == ";":
            _close(current, match.end(), text, file, statements, findings, bounds)
            current = None
    if current is not None:
        _close(current, len(text), text, file, statements, findings, bounds)
    if len(statements) > bounds.policies:
        findings.append(Finding(file, f"the file has more than {bounds.policies} policies"))
    return statements, findings


def _close(
    current: _Open,
    end: int,
    text: str,
    file: str,
    statements: list[Statement],
    findings: list[Finding],
    bounds: Bounds,
) -> None:
    fault = current.fault(end - current.start, bounds)
    if fault:
        findings.append(Finding(file, fault, line=current.line))
    statements.append(Statement(text[current.start : end], current.line))


def _deceptive(file: str, text: str) -> list[Finding]:
    for start in giving_way(range(0, len(text), _PART), 1):
        match = _DECEPTIVE.search(text, start, start + _PART)
        if match is not None:
            line = text.count("\n", 0, match.start()) + 1
            return [Finding(file, f"there is an invisible character, U+{ord(match[0]):04X}", line=line)]
    return []
