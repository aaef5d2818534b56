"""``${name}`` in a manifest's patches: filled with the unit's parameter of that name, as far as it may be shown.

A string that is nothing but ``${name}`` becomes the parameter's value, whatever its type; inside a longer string a
scalar is written out. ``$${`` stands for ``${``. Documents are shown and journalled: what is sensitive, or comes from
the environment, is never filled in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from remit.errors import PatchFailed
from remit.journal import encode_json
from remit.units.manifest import Patch

__all__ = ["fill_patches"]

_NAME = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_-]*)\}")


def fill_patches(patches: Sequence[Patch], values: Mapping[str, Any], hidden: Collection[str]) -> tuple[Patch, ...]:
    """The patches with their parameters filled in.

    :param values: parameters as the manifest and the operator wrote them, environment not expanded
    :param hidden: names of parameters that must not be shown
    :raises PatchFailed: if a patch names a parameter that there is not, or that may not stand in a document
    """

    def look(name: str) -> Any:
        if name not in values:
            raise PatchFailed(f"a patch names the parameter {name!r}, which has no value", remedy=f"set {name}")
        if name in hidden or _mentions_environment(values[name]):
            raise PatchFailed(
                f"a patch names the parameter {name!r}, which is sensitive or comes from the environment",
                remedy="documents are journalled: let an action of the unit use it instead",
            )
        return values[name]

    return tuple(_filled(patch, look) for patch in patches)


def _filled(patch: Patch, look: Callable[[str], Any]) -> Patch:
    # The same object where nothing is filled: a thousand units share what their manifests say.
    if b"${" not in encode_json(patch.value):
        return patch
    if patch.op == "merge":
        value = _fill(patch.value, look)
    else:
        value = [
            {**operation, "value": _fill(operation["value"], look)} if "value" in operation else operation
            for operation in patch.value
        ]
    return msgspec.structs.replace(patch, value=value)


def _fill(value: Any, look: Callable[[str], Any]) -> Any:
    if isinstance(value, str):
        return _text(value, look) if "${" in value else value
    if isinstance(value, dict):
        return {key: _fill(item, look) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, look) for item in value]
    return value


def _text(text: str, look: Callable[[str], Any]) -> Any:
    whole = _NAME.fullmatch(text)
    if whole is not None and whole[1]:
        return look(whole[1])

    def written(match: re.Match[str]) -> str:
        if not match[1]:
            return "${"
        value = look(match[1])
        if isinstance(value, dict | list):
            raise PatchFailed(f"a patch writes the parameter {match[1]!r} into a text, but it is no text or number")
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()

    return _NAME.sub(written, text)


def _mentions_environment(value: Any) -> bool:
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, dict):
        return any(_mentions_environment(item) for item in value.values())
    if isinstance(value, list):
        return any(_mentions_environment(item) for item in value)
    return False
