"""Homes and units for every room: made once a session, copied for each test."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.sharing import FOLDER, sharing

# How long an example takes says something about the machine, not about the property.
# By default the same examples every time, so that a run says something about the change; the soak looks further.
settings.register_profile("remit", deadline=None, derandomize=os.environ.get("REMIT_SOAK", "1") == "1")
settings.load_profile("remit")

# A shell that starts this run in the background has it ignore interrupts; what is tested here must hear of them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["remit.testing.plugin"]  # by name as well: a checkout on the path has no entry points

_MISSING = pytest.StashKey[dict[str, int]]()

WAT = Path(__file__).parents[1] / "units" / "wat"
ACTIVE = ("echo", "counter", "loop")


@pytest.fixture(scope="session")
def program(request):
    """The path of a program of the machine: ``program("docker-registry")``; the summary names what is missing."""

    def find(name):
        found = shutil.which(name)
        if found is None:
            missing = request.config.stash.setdefault(_MISSING, {})
            missing[name] = missing.get(name, 0) + 1
            pytest.skip(f"{name} is not on this machine")
        return found

    return find


@pytest.hookimpl(trylast=True)  # after whatever shuffles them
def pytest_collection_modifyitems(items):
    """Begin with what takes long: begun last, it would keep one worker busy when the others have nothing left."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_terminal_summary(terminalreporter, config):
    """Name what the machine lacks, and how many tests did not run for want of it."""
    for name, count in sorted(config.stash.get(_MISSING, {}).items()):
        terminalreporter.line(f"NOT TESTED HERE: {count} tests need {name}, which is not on this machine", red=True)


@pytest.fixture(scope="session")
def _run_folder(tmp_path_factory):
    """What all workers of a run share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "compiled"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@pytest.fixture
def compiled_once(_run_folder, monkeypatch):
    """What was compiled in this run is not compiled again, here and in processes that the test starts."""
    from remit.sandbox.code import compiling  # noqa: PLC0415 - as below

    monkeypatch.setattr(compiling, "_run", sharing(_run_folder, compiling._run))
    monkeypatch.setenv(FOLDER, str(_run_folder))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "starting"), prepend=os.pathsep)


@pytest.fixture(scope="session")
def unit(tmp_path_factory):
    """Builds one of the tiny units and gives its folder: ``unit("echo")``."""
    from remit.host import build_unit  # noqa: PLC0415 - only the tests that ask for a unit pay for the rooms

    folder = tmp_path_factory.mktemp("units")

    def build(name):
        target = folder / name
        if not target.exists():
            shutil.copytree(WAT / name, target)
            build_unit(target)
        return target

    return build


@pytest.fixture(scope="session")
def home_template(tmp_path_factory):
    """A fresh home that nobody has used."""
    from remit.host import init  # noqa: PLC0415 - as above

    root = tmp_path_factory.mktemp("homes") / "fresh"
    init(root)
    return root


@pytest.fixture(scope="session")
def active_template(tmp_path_factory, home_template, unit):
    """A home in which the units of :data:`ACTIVE` are installed and active."""
    from remit.host import Kernel  # noqa: PLC0415 - as above

    root = tmp_path_factory.mktemp("homes") / "active"
    shutil.copytree(home_template, root)
    with Kernel.open(root) as kernel:
        installed = [kernel.install(str(unit(name)), allow_unsigned=True) for name in ACTIVE]
        kernel.apply(kernel.plan(add=installed), consent=True)
    return root


@pytest.fixture
def home(tmp_path, home_template):
    """The path of a fresh home."""
    return Path(shutil.copytree(home_template, tmp_path / "home"))


@pytest.fixture
def active_home(tmp_path, active_template):
    """The path of a home with echo, counter and loop active."""
    return Path(shutil.copytree(active_template, tmp_path / "active"))


@pytest.fixture
def kernel(active_home):
    """The kernel of a home with echo, counter and loop active."""
    from remit.host import Kernel  # noqa: PLC0415 - as above

    with Kernel.open(active_home, program="tests") as kernel:
        yield kernel


@pytest.fixture(scope="session")
def react_template(tmp_path_factory, home_template, unit):
    """A home in which ``acme/react`` is active."""
    from remit.host import Kernel  # noqa: PLC0415 - as above

    root = tmp_path_factory.mktemp("homes") / "react"
    shutil.copytree(home_template, root)
    with Kernel.open(root) as kernel:
        kernel.apply(kernel.plan(add=[kernel.install(str(unit("react")), allow_unsigned=True)]), consent=True)
    return root


@pytest.fixture
def react_home(tmp_path, react_template):
    """The path of a home whose unit reacts to job.made, loop.turned and live.seen."""
    return Path(shutil.copytree(react_template, tmp_path / "react"))


@pytest.fixture(scope="session")
def patient_template(tmp_path_factory, active_template, unit):
    """An active home whose loop may run for a minute."""
    from remit.host import Kernel, build_unit  # noqa: PLC0415 - as above

    root = tmp_path_factory.mktemp("homes") / "patient"
    shutil.copytree(active_template, root)
    folder = tmp_path_factory.mktemp("units") / "loop"
    shutil.copytree(unit("loop"), folder)
    manifest = folder / "unit.toml"
    text = manifest.read_text().replace('"250ms"', '"60s"').replace('"1.0.0"', '"1.1.0"')
    manifest.write_text(text)
    build_unit(folder)
    with Kernel.open(root) as kernel:
        kernel.apply(kernel.plan(add=[kernel.install(str(folder), allow_unsigned=True)]), consent=True)
    return root


@pytest.fixture
def patient_home(tmp_path, patient_template):
    """The path of a home in which ``acme/loop:spin`` runs for a minute."""
    return Path(shutil.copytree(patient_template, tmp_path / "patient"))
