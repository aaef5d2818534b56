"""Native units of a test's own, in homes whose policy names their publisher, or does not."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from remit.host import Kernel, build_unit, init

MANIFEST = """
schema = "unit/v1"
id = "{unit}"
version = "{version}"
kind = "native"
[runtime]
artifact = "unit.native.json"
deadline = "{deadline}"
[native]
module = "unit"
[build]
tool = "native"
source = "src/unit.py"
[[action]]
name = "run"
{more}
"""
HEAD = "from remit_unit import Handler, Provider, Refused, action, call, emit, http, log, on, state\n"
TRUST = """
@id("native.ours")
@why("we wrote it")
permit (principal in Remit::Publisher::"acme", action == Remit::Action::"unit:native", resource);
"""


@pytest.fixture
def unit(tmp_path):
    """Writes a native unit's folder, builds it, and gives it."""

    def make(body, more="", *, unit="acme/inside", version="1.0.0", deadline="5s", files=(), head=HEAD):
        folder = tmp_path / f"{unit.replace('/', '-')}-{version}"
        (folder / "src").mkdir(parents=True, exist_ok=True)
        (folder / "src" / "unit.py").write_text(head + textwrap.dedent(body))
        for name, text in files:
            (folder / "src" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "src" / name).write_text(text)
        (folder / "unit.toml").write_text(MANIFEST.format(unit=unit, version=version, deadline=deadline, more=more))
        build_unit(folder)
        return folder

    return make


@pytest.fixture
def home(tmp_path):
    """Makes a home: its root, with a policy that names the publisher unless told otherwise."""

    def make(*, trust=TRUST, posture="standard", name="home") -> Path:
        root = tmp_path / name
        init(root)
        (root / "policy" / "native.cedar").write_text(trust)
        file = root / "remit.toml"
        file.write_text(file.read_text().replace('posture = "standard"', f'posture = "{posture}"'))
        return root

    return make


@pytest.fixture
def opened(home):
    """Opens a kernel of a home, the trusting one unless another is given, with these units active."""
    kernels = []

    def make(*units, root=None, plugins=None):
        kernel = Kernel.open(root or home(), program="pytest", serve=False, plugins=plugins).__enter__()
        kernels.append(kernel)
        if units:
            installed = [kernel.install(str(one), allow_unsigned=True) for one in units]
            kernel.apply(kernel.plan(add=installed), consent=True)
        return kernel

    yield make
    for kernel in kernels:
        kernel.close()
