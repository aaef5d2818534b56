"""The pytest plugin: fixtures for a home, a kernel, a unit under test, a clock, and what happened.

pytest loads this by entry point in every run where Remit is installed: it imports nothing of Remit until a fixture is
asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from remit.host import Kernel
    from remit.journal import Clock
    from remit.testing.clock import VirtualClock
    from remit.testing.events import Events
    from remit.testing.publishing import RunningRegistry, TrustDomain

__all__ = [
    "KernelFactory",
    "remit_clock",
    "remit_events",
    "remit_home",
    "remit_kernel",
    "remit_registry",
    "remit_trust_domain",
    "remit_unit",
]


class KernelFactory(Protocol):
    """What the fixture ``remit_kernel`` gives."""

    def __call__(
        self,
        *,
        units: Sequence[Path | str] = (),
        plugins: Mapping[str, object] | None = None,
        clock: Clock | None = None,
    ) -> Kernel:
        """The kernel of the test's home, with these units (folders) active and these plugin objects registered."""
        ...


@pytest.fixture
def remit_home(tmp_path: Path) -> Path:
    """The path of a fresh home."""
    from remit.host import init  # noqa: PLC0415 - here and below: only a test that asks for it loads Remit

    root = tmp_path / "remit-home"
    init(root)
    return root


@pytest.fixture
def remit_kernel(remit_home: Path) -> Iterator[KernelFactory]:
    """Opens kernels of the test's home, one after another, and closes the last."""
    from remit.host import Kernel, permit_native  # noqa: PLC0415

    with ExitStack() as opened:

        def make(
            *,
            units: Sequence[Path | str] = (),
            plugins: Mapping[str, object] | None = None,
            clock: Clock | None = None,
        ) -> Kernel:
            opened.close()  # a home has one kernel
            for unit in units:
                permit_native(remit_home, unit)  # who tests a native unit runs it
            kernel = opened.enter_context(
                Kernel.open(remit_home, program="pytest", serve=False, plugins=plugins, clock=clock)
            )
            if units:
                installed = [kernel.install(str(unit), allow_unsigned=True) for unit in units]
                kernel.apply(kernel.plan(add=installed), consent=True)
            return kernel

        yield make


@pytest.fixture
def remit_unit(remit_home: Path, remit_kernel: KernelFactory) -> Callable[[Path | str], Kernel]:
    """Builds a unit's folder and gives a kernel in which it is active, in its sandbox: ``remit_unit("./redact")``."""
    from remit.host import build_unit, check_unit, lend_code  # noqa: PLC0415

    lend_code(remit_home)

    def make(folder: Path | str) -> Kernel:
        manifest, _ = check_unit(folder)
        if manifest is not None and manifest.build is not None:
            build_unit(folder)
        return remit_kernel(units=[folder])

    return make


@pytest.fixture
def remit_clock() -> VirtualClock:
    """A clock that stands until it is told to go."""
    from remit.testing.clock import VirtualClock  # noqa: PLC0415

    return VirtualClock()


@pytest.fixture
def remit_events() -> Callable[[Kernel], Events]:
    """Makes a watch of what happens in a kernel from now on; ask the watch for ``only("a.topic")`` later."""
    from remit.testing.events import Events  # noqa: PLC0415

    return Events


@pytest.fixture
def remit_trust_domain(tmp_path: Path) -> TrustDomain:
    """A trust domain of the test's own: ``remit_trust_domain.sign(folder)`` gives a signed ``.unit`` file."""
    from remit.testing.publishing import TrustDomain  # noqa: PLC0415

    return TrustDomain(tmp_path / "trust-domain")


@pytest.fixture
def remit_registry(tmp_path: Path) -> Iterator[RunningRegistry]:
    """A registry on loopback: ``remit_registry.publish(folder, sign_as)`` gives the reference that installs it."""
    from remit.testing.publishing import running_registry  # noqa: PLC0415

    with running_registry(tmp_path / "registry") as registry:
        yield registry
