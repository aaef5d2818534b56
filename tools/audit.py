"""A bill of materials of the lock (CycloneDX 1.6, build/sbom.json), and its known vulnerabilities.

An audit that could not ask anybody is a failure, not a clean bill: it says so, and exits 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = "requirements/dev.txt"
SBOM = ROOT / "build" / "sbom.json"


def make_sbom() -> None:
    """Write the bill of materials of everything that the lock names, with this project as its subject."""
    SBOM.parent.mkdir(exist_ok=True)
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "cyclonedx_py",
        "requirements",
        LOCK,
        "--pyproject",
        "pyproject.toml",
    ]
    command += ["--spec-version", "1.6", "--output-reproducible", "--output-format", "JSON", "--output-file", str(SBOM)]
    subprocess.run(command, cwd=ROOT, check=True)
    print(f"bill of materials: {SBOM.relative_to(ROOT)}")


def verdict(answer: str) -> tuple[list[str], str]:
    """What pip-audit's JSON means: known vulnerabilities, for people, and why it is no answer ("" if it is one).

    A package that the service does not know was not audited. Behind a mirror that has no vulnerability service, that is
    every package, and pip-audit still calls it a success.
    """
    try:
        packages = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return [], "the vulnerability service could not be reached"
    known = [
        f"{package['name']} {package['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'none'}"
        for package in packages
        for found in package.get("vulns", ())
    ]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if not packages or len(skipped) == len(packages):
        return known, "the vulnerability service answered about no package: is this a mirror without one?"
    return known, f"the vulnerability service does not know {', '.join(skipped)}" if skipped else ""


def main() -> int:
    """Both parts; 0 only if the service answered about every package and knows nothing."""
    make_sbom()
    command = [sys.executable, "-m", "pip_audit", "--requirement", LOCK, "--disable-pip", "--require-hashes"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    known, unanswered = verdict(asked.stdout)
    for line in known:
        print(line)
    if known:
        print("audit: FAILED: raise the ranges, or run 'make lock UPGRADE=--upgrade'", file=sys.stderr)
    if unanswered:
        print(asked.stderr[-2_000:], file=sys.stderr)
        print(f"audit: FAILED: {unanswered}; nothing was proved, so run it where it can be asked", file=sys.stderr)
    if known or unanswered:
        return 1
    print("audit: nothing is known against the lock")
    return 0


if __name__ == "__main__":
    sys.exit(main())
