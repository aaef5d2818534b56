"""The operator's file keeps the form that the operator's editor gave it, whatever applies do to its text."""

from __future__ import annotations

import pytest

from remit.host import Kernel

FORMS = {
    "as it was made": lambda text: text,
    "with line ends of Windows": lambda text: text.replace("\n", "\r\n"),
    "with a byte order mark": lambda text: "\ufeff" + text,
    "with both": lambda text: "\ufeff" + text.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_an_apply_keeps_marks_and_line_ends(home, unit, form):
    config = home / "remit.toml"
    plain = config.read_bytes().decode()
    config.write_bytes(form(plain).encode())
    with Kernel.open(home) as kernel:
        installed = kernel.install(str(unit("echo")), allow_unsigned=True)
        kernel.apply(kernel.plan(add=[installed]), consent=True)
    edited = config.read_bytes().decode()
    bare = edited.removeprefix("\ufeff").replace("\r\n", "\n")
    assert "acme/echo" in bare
    assert edited == form(bare)
