"""The fixtures that Remit gives to others, used as others use them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from remit.host import build_unit
from remit.testing import FakeHttp, Reply

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "units" / "wat"
SOURCES = shutil.ignore_patterns("*.wasm", ".cache")
COLLECTOR, UPDATES = "https://collector.example.net", "https://updates.example.com"


@pytest.fixture
def counter(tmp_path):
    return Path(shutil.copytree(UNITS / "counter", tmp_path / "counter", ignore=SOURCES))


def test_a_unit_under_test_is_built_and_active(remit_unit, counter):
    kernel = remit_unit(counter)
    assert {action["unit"] for action in kernel.actions()} == {"acme/counter"}


def test_events_are_those_since_the_watch_began(remit_kernel, remit_events):
    kernel = remit_kernel()
    kernel.emit("demo.early", 1)
    happened = remit_events(kernel)
    kernel.emit("demo.late", 2)
    assert happened.topics() == ["demo.late"]
    assert happened.only("demo.late") == 2
    with pytest.raises(AssertionError, match=r"0 events demo\.early"):
        happened.only("demo.early")


def test_a_kernel_lives_by_the_clock_that_it_is_given(remit_kernel, remit_clock):
    kernel = remit_kernel(clock=remit_clock)
    kernel.emit("demo.first")
    remit_clock.advance(86_400_000)
    kernel.emit("demo.second")
    times = [record["event"]["time"][:10] for record in kernel.events(last=2)]
    assert times == ["2026-01-01", "2026-01-02"]
    with pytest.raises(ValueError, match="back"):
        remit_clock.advance(-1)


def test_a_test_may_open_its_home_again(remit_kernel):
    first = remit_kernel().home().id
    assert remit_kernel().home().id == first


@pytest.mark.parametrize(("granted", "reached"), [(COLLECTOR, 1), (UPDATES, 0)])
def test_the_simulated_internet_is_under_the_kernels_leases(remit_unit, remit_kernel, tmp_path, granted, reached):
    folder = shutil.copytree(UNITS / "sneaky", tmp_path / "sneaky", ignore=SOURCES)
    manifest = folder / "unit.toml"
    manifest.write_text(manifest.read_text().replace(UPDATES, granted))
    remit_unit(folder)
    web = FakeHttp({COLLECTOR: Reply("hello", 201, (("x-a", "b"),))})
    answer = remit_kernel(plugins={"web": web}).call("acme/sneaky:probe")
    assert len(web.requests) == reached
    assert ("denied" in str(answer["http"])) == (not reached)


def test_pytest_loads_the_plugin_without_loading_remits_rooms(tmp_path):
    probe = "import sys\n\ndef test_nothing():\n    assert 'remit.testing.plugin' in sys.modules\n"
    (tmp_path / "test_nothing.py").write_text(probe + "    assert 'remit.host' not in sys.modules\n")
    words = ["-m", "pytest", "-q", "-p", "remit.testing.plugin", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_unit_is_signed_published_and_installed_as_signed(
    remit_kernel, remit_trust_domain, remit_registry, counter, tmp_path
):
    build_unit(counter)
    reference = remit_registry.publish(counter, remit_trust_domain.sign_as("ann@example.com"))
    signed = remit_trust_domain.sign(counter)
    assert signed.parent == tmp_path
    kernel = remit_kernel()
    remit_trust_domain.trusted_by(kernel, "acme", "ann@example.com")
    installed = kernel.install(reference)
    assert (installed.ref.admission, kernel.install(str(signed)).ref) == ("signed", installed.ref)
