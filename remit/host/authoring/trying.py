"""Trying a unit before anybody installs it: its manifest's tests in a sandbox, its author's tests, what was built.

Everything happens in a home of its own that is gone afterwards; policy, leases and limits are those of a real one.
"""

from __future__ import annotations

import os
import subprocess  # the author's tests must not live in our process
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from remit.errors import BuildFailed, RemitError
from remit.host.authoring.tools import build_unit, init, permit_native, sound_manifest
from remit.host.authoring.workbench import lend_code, precompile
from remit.host.kernel import Kernel
from remit.journal import Progress, digest_of, no_progress
from remit.kernel.model import Capability
from remit.units.manifest import Manifest
from remit.units.toolchains.qjs import bundled_tests
from remit.units.toolchains.sdks import sdk_folder

__all__ = ["Built", "GoldenResult", "Tried", "built_unit", "try_unit"]

_PYTEST_S = 600
_MOST_OUTPUT = 64 << 10
_NO_TESTS = 5
"""pytest's exit code where it found none."""


class Built(msgspec.Struct, frozen=True):
    """What a build made."""

    artifact: str
    bytes: int
    digest: str
    """``sha256:…`` of the artifact."""
    capabilities: tuple[Capability, ...]
    """What the manifest asks for."""
    code: int
    """Bytes of machine code that it became, in the author's cache; 0 for native code."""


class GoldenResult(msgspec.Struct, frozen=True):
    """One ``[[test]]`` of a manifest, called in the sandbox."""

    action: str
    passed: bool
    input: Any
    expected: Any
    got: Any = None
    error: str = ""


class Tried(msgspec.Struct, frozen=True):
    """How a unit did."""

    unit: str
    goldens: tuple[GoldenResult, ...]
    pytest: int | None
    """Exit code of the author's tests; ``None`` where there are none."""
    output: str
    """What pytest and Node's test runner said, the last 64 KiB of each."""
    node: int | None = None
    """Exit code of ``tests/*.test.ts``; ``None`` where there are none."""

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.pytest and not self.node and all(golden.passed for golden in self.goldens)


def built_unit(folder: Path | str, progress: Progress = no_progress) -> Built:
    """Build a unit, check and compile what was made, and say what that is.

    :raises ManifestInvalid: if ``unit.toml`` has faults
    :raises ImportRefused: if the component imports what the manifest does not declare
    :raises ExportMissing: if it does not export what the manifest promises
    :raises BuildFailed: if the toolchain refuses, or there is nothing to build
    """
    artifact = build_unit(folder, progress)
    data = artifact.read_bytes()
    manifest = sound_manifest(folder)
    code = precompile(manifest, data, progress)
    return Built(str(artifact), len(data), digest_of(data), manifest.capabilities, code)


def try_unit(folder: Path | str, progress: Progress = no_progress) -> Tried:
    """Run a unit's own tests: each ``[[test]]`` sandboxed, in order, in one home; then pytest and Node's on ``tests``.

    :raises ManifestInvalid: if ``unit.toml`` has faults
    :raises BuildFailed: if it cannot be built, or the author's tests do not end within ten minutes
    """
    manifest = sound_manifest(folder)
    if manifest.build is not None:
        build_unit(folder, progress)
    progress("running the manifest's tests", 0.5)
    goldens = _goldens(Path(folder), manifest)
    code, said, node, node_said = None, "", None, ""
    if (Path(folder) / "tests").is_dir():
        progress("running pytest", 0.7)
        code, said = _pytest(Path(folder))
        node, node_said = _node(Path(folder), progress)
    if code == _NO_TESTS:
        code, said = None, ""
    return Tried(manifest.id, goldens, code, said + node_said, node)


def _goldens(folder: Path, manifest: Manifest) -> tuple[GoldenResult, ...]:
    with tempfile.TemporaryDirectory(prefix="remit-test-") as work:
        init(Path(work, "home"))
        permit_native(Path(work, "home"), folder)
        lend_code(Path(work, "home"))
        with Path(work, "home", "remit.toml").open("a") as config:  # they run here, under real leases
            config.write('[plan]\ntests = "off"\n')
        with Kernel.open(Path(work, "home"), program="remit unit test", serve=False) as kernel:
            kernel.apply(kernel.plan(add=[kernel.install(str(folder), allow_unsigned=True)]), consent=True)
            return tuple(_golden(kernel, manifest, test) for test in manifest.tests)


def _golden(kernel: Kernel, manifest: Manifest, test: Any) -> GoldenResult:
    try:
        got = kernel.call(f"{manifest.id}:{test.action}", test.input)
    except RemitError as error:
        said = f"{error.code}: {error.message}"
        return GoldenResult(test.action, passed=False, input=test.input, expected=test.expect, error=said)
    return GoldenResult(test.action, passed=got == test.expect, input=test.input, expected=test.expect, got=got)


def _pytest(folder: Path) -> tuple[int, str]:
    sources = [str((folder / "src").resolve()), str(sdk_folder("python")), *(path for path in sys.path if path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sources), "PYTHONDONTWRITEBYTECODE": "1"}
    words = ["-m", "pytest", "-q", "-p", "remit.testing.plugin", "-p", "no:cacheprovider", "--rootdir", ".", "tests"]
    return _ran([sys.executable, *words], folder, environment)


def _node(folder: Path, progress: Progress) -> tuple[int | None, str]:
    with tempfile.TemporaryDirectory(prefix="remit-test-") as work:
        tests = bundled_tests(folder, Path(work), progress)
        return _ran(["node", "--test", *map(str, tests)], folder, dict(os.environ)) if tests else (None, "")


def _ran(words: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    try:
        done = subprocess.run(  # noqa: S603 - the author's own tests, which they asked for
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PYTEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(
            f"the tests of {folder} did not end within {_PYTEST_S} s", remedy="look for a loop in tests/"
        ) from error
    return done.returncode, done.stdout[-_MOST_OUTPUT:].decode("utf-8", "replace")
