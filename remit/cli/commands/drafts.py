"""Work on policy texts that needs no kernel: lint, layout, validation, tests, and plain Cedar over any corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from click.exceptions import Exit
from rich.text import Text

from remit import host
from remit.cli.inputs import read_bounded
from remit.cli.render.findings import policy_findings
from remit.cli.session import Session, verb
from remit.cli.text import json_text, one_line
from remit.errors import EXIT_ERROR, UsageError

__all__ = ["authorize", "fmt", "lint", "read_texts", "test", "validate"]

_POSTURE = click.option("--posture", default="", help="The posture below them; the home's own, where not given.")
_PATH = click.argument("path", metavar="[DIR|FILE]", default=None, required=False, type=click.Path(path_type=Path))


def read_texts(path: Path, suffix: str = ".cedar") -> dict[str, str]:
    """The texts of a file, or of a folder's files with this suffix, under the names that they would have in a home.

    :raises UsageError: if there is none, or one cannot be read
    """
    return {f"policy/{one.name}": _text(one) for one in _files(path, suffix)}


def _files(path: Path, suffix: str = ".cedar") -> list[Path]:
    found = sorted(one for one in path.iterdir() if one.suffix == suffix) if path.is_dir() else [path]
    if not found:
        raise UsageError(f"{path} holds no *{suffix}", remedy="name a folder or a file with policies")
    return found


def _text(path: Path) -> str:
    try:
        return read_bounded(path).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text", remedy="convert it to UTF-8") from error


def _drafts(session: Session, path: Path | None, posture: str) -> tuple[str, Mapping[str, str]]:
    """Posture and texts: those of the home, and of ``path`` instead of the home's files where it is given."""
    if path is not None and posture:
        return posture, read_texts(path)
    known, files = host.home_policies(session.home)
    return posture or known, read_texts(path) if path is not None else files


@verb("lint", example="remit policy lint draft")
@_PATH
@_POSTURE
def lint(session: Session, path: Path | None, posture: str) -> None:
    """Look for what Cedar's checks do not say.

    That is: policies that never apply, permits without any bound, look-alike letters, permits that do not say why.
    The texts are looked at in a process of its own, so they may come from anybody. Exits with 1 if there is an
    error; warnings are opinions.
    """
    chosen, files = _drafts(session, path, posture)
    findings = host.lint_policies(chosen, files)
    errors = [finding for finding in findings if finding.severity == "error"]
    session.answer({"ok": not errors, "findings": findings}, *policy_findings(findings))
    if errors:
        raise Exit(EXIT_ERROR)


@verb("validate", example="remit policy validate draft")
@_PATH
@_POSTURE
def validate(session: Session, path: Path | None, posture: str) -> None:
    """Check policy files against the schema.

    The same checks as publishing makes, canaries included: requests that must be denied whatever the policies say.
    Exits with 1 on an error.
    """
    chosen, files = _drafts(session, path, posture)
    errors = [finding for finding in host.lint_policies(chosen, files) if finding.severity == "error"]
    session.answer({"ok": not errors, "findings": errors}, *policy_findings(errors))
    if errors:
        raise Exit(EXIT_ERROR)


@verb("fmt", example="remit policy fmt policy/site.cedar\nremit policy fmt --check policy/site.cedar")
@click.argument("paths", metavar="FILE|DIR…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 if a file would change.")
def fmt(session: Session, paths: tuple[Path, ...], *, check: bool) -> None:
    """Lay policy files out as Cedar does."""
    changed = []
    for path in (one for given in paths for one in _files(given)):
        text = _text(path)
        laid = host.format_policies(str(path), text)
        if laid != text:
            changed.append(str(path))
            if not check:
                path.write_text(laid, encoding="utf-8")
    word = "would change" if check else "laid out"
    lines = [Text(one_line(f"{word}: {one}")) for one in changed] or [Text("nothing to do")]
    session.answer({"changed": changed}, *lines)
    if check and changed:
        raise Exit(EXIT_ERROR)


@verb("test", example="remit policy test tests/policy.toml --policies draft --junit report.xml")
@click.argument("tests", metavar="FILE|DIR", type=click.Path(path_type=Path, exists=True))
@click.option("--policies", metavar="DIR", type=click.Path(path_type=Path), help="Test these, not the home's.")
@_POSTURE
@click.option("--junit", metavar="FILE", type=click.Path(path_type=Path), help="Write the results as JUnit XML.")
def test(session: Session, tests: Path, policies: Path | None, posture: str, junit: Path | None) -> None:
    """Run tests of policies.

    A test file holds requests with the outcome and the deciding policies that are expected; see docs/policy.md.
    Exits with 1 if one of them fails.
    """
    chosen, files = _drafts(session, policies, posture)
    results, report = host.check_cases(chosen, files, read_texts(tests, ".toml"))
    if junit is not None:
        junit.write_text(report, encoding="utf-8")
    failed = [one for one in results if not one.ok]
    lines = [
        Text.assemble(
            ("ok    " if one.ok else "FAIL  ", "green" if one.ok else "bold red"),
            one_line(one.name),
            (f"  {one_line(one.message)}" if one.message else "", "dim"),
        )
        for one in results
    ]
    lines.append(Text(f"{len(results) - len(failed)} of {len(results)} passed"))
    session.answer({"ok": not failed, "results": results}, *lines)
    if failed:
        raise Exit(EXIT_ERROR)


@verb(
    "authorize",
    example="remit policy authorize --policies P.cedar --entities E.json --schema S.cedarschema "
    "--requests R.jsonl --json",
)
@click.option("--policies", required=True, metavar="FILE", type=click.Path(path_type=Path), help="Cedar policies.")
@click.option("--entities", required=True, metavar="FILE", type=click.Path(path_type=Path), help="Entities as JSON.")
@click.option("--schema", metavar="FILE", type=click.Path(path_type=Path), help="A Cedar schema, text or JSON.")
@click.option(
    "--requests", required=True, metavar="FILE|-", type=click.Path(path_type=Path, allow_dash=True),
    help="One request a line: principal, action, resource, context.",
)  # fmt: skip
def authorize(session: Session, policies: Path, entities: Path, schema: Path | None, requests: Path) -> None:
    """Answer requests over any policies as plain Cedar.

    None of Remit's own policies are mixed in, and no home is needed. Prints one line for each request: decision,
    reasons and errors. What Cedar cannot judge is a deny, with a note on standard error.
    """
    schema_text = None if schema is None else _text(schema)
    verdicts = host.authorize_corpus(_text(policies), _text(entities), schema_text, _lines(requests))
    for number, (verdict, fault) in enumerate(verdicts, 1):
        said = {"decision": verdict.decision, "reasons": list(verdict.reasons), "errors": list(verdict.errors)}
        if fault:
            click.echo(one_line(f"request {number}: {fault}"), err=True)
        session.line(said, Text(json_text(said, indent=None)))


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file or of standard input. One that is not UTF-8 is a request that cannot be read, like others."""
    try:
        with click.open_file(str(path), encoding="utf-8", errors="surrogateescape") as file:
            yield from file
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", remedy="name a readable file") from error
