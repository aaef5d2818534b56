"""The artifact of a native unit (format ``native/v1``): Python modules as text, by their paths, in one JSON file.

One spelling only, the sorted and indented one: what a person reads in the file, or ``jq`` in it, is what runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from remit.errors import ArtifactInvalid
from remit.schemas import formats

__all__ = ["SDK_ENTRY", "decode_modules", "encode_modules", "module_path"]

_PATH = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]*/){0,9}[A-Za-z_][A-Za-z0-9_]*\.py", re.ASCII)
_MOST_MODULES = 2_000
_MOST_BYTES = 16 << 20
SDK_ENTRY = "remit_unit/native.py"
"""The module of the SDK through which a host serves a native unit: every artifact carries the SDK."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal["native/v1"]
    modules: dict[str, str]


def encode_modules(modules: Mapping[str, str]) -> bytes:
    """The file that holds these modules.

    :param modules: source text by path, like ``"unit.py"`` or ``"text/rules.py"``
    :raises ArtifactInvalid: if a path is none of a module, or there are too many or too large ones
    """
    _check(modules)
    file = {"format": formats.NATIVE, "modules": dict(sorted(modules.items()))}
    data = msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n"
    if len(data) > _MOST_BYTES:
        raise ArtifactInvalid(f"the modules have more than {_MOST_BYTES >> 20} MiB", remedy="native units hold source")
    return data


def decode_modules(data: bytes) -> dict[str, str]:
    """The modules in such a file.

    :raises ArtifactInvalid: if it is none, or is spelt otherwise than :func:`encode_modules` does
    """
    if len(data) > _MOST_BYTES:
        raise ArtifactInvalid(f"native code has at most {_MOST_BYTES >> 20} MiB")
    try:
        modules = msgspec.json.decode(data, type=_File).modules
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ArtifactInvalid(f"this is no native code of format {formats.NATIVE}: {str(error)[:200]}") from error
    if encode_modules(modules) != data:
        raise ArtifactInvalid("the native code is spelt unusually: who reads it might read something else than runs")
    return modules


def module_path(modules: Mapping[str, str], name: str) -> str | None:
    """Where a module (``"text.rules"``) stands among them; ``None`` where it does not."""
    base = name.replace(".", "/")
    return next((path for path in (f"{base}/__init__.py", f"{base}.py") if path in modules), None)


def _check(modules: Mapping[str, str]) -> None:
    if len(modules) > _MOST_MODULES:
        raise ArtifactInvalid(f"a native unit has at most {_MOST_MODULES} modules")
    for path in modules:
        if not _PATH.fullmatch(path):
            raise ArtifactInvalid(f"{path[:100]!a} cannot be the path of a Python module")
