from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from remit.kernel.ports import SystemClock
from remit.sandbox import IsolatingRunner
from remit.sandbox.plugin import remit_host_interfaces, remit_runner


def test_the_runner_keeps_its_code_in_an_owner_only_folder_of_the_home(tmp_path):
    home = SimpleNamespace(cache=tmp_path / "cache", secret=lambda _name: bytes(32), clock=SystemClock())
    runner = remit_runner(home, "component", None)
    assert isinstance(runner, IsolatingRunner)
    assert (tmp_path / "cache" / "code").stat().st_mode & 0o777 == 0o700


def test_another_abi_is_left_to_others(tmp_path):
    home = SimpleNamespace(cache=tmp_path, secret=lambda _name: bytes(32), clock=SystemClock())
    assert remit_runner(home, "native", None) is None


def test_the_plugin_offers_every_interface():
    assert {"log", "state", "events", "http"} <= remit_host_interfaces(SimpleNamespace()).keys()


def test_loading_the_plugin_does_not_load_wasmtime():
    program = "import sys, remit.sandbox.plugin; print('wasmtime' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.check_output([sys.executable, "-c", program], cwd=root).strip() == b"False"
