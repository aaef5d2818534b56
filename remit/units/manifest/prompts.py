"""A prompt's template: words with ``{{name}}`` where an argument goes. No logic: what is put in is never read again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from remit.errors import InputInvalid
from remit.schemas import Fault
from remit.schemas.wording import nearest
from remit.units.manifest.model import Prompt

__all__ = ["prompt_faults", "rendered"]

_PLACE = re.compile(r"\{\{([^{}]*)\}\}")
_MOST = 256 << 10
"""Characters of a prompt with its arguments."""


def prompt_faults(entry: Mapping[str, Any], path: str) -> Iterator[Fault]:
    """What is wrong with a prompt beyond its schema."""
    given = entry.get("argument")
    arguments: list[Any] = (
        [one.get("name") for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    )
    names = [name for name in arguments if isinstance(name, str)]
    template = entry.get("template")
    used = {place.strip() for place in _PLACE.findall(template)} if isinstance(template, str) else set[str]()
    for name in sorted(used - set(names)):
        yield Fault(f"{path}.template", f"{{{{{name[:100]}}}}} is no argument of it{nearest(name, names)}")
    for index, name in enumerate(arguments):
        if not isinstance(name, str):
            continue
        if names.count(name) > 1:
            yield Fault(f"{path}.argument[{index}].name", f"{name[:100]!r} is declared twice")
        elif isinstance(template, str) and name not in used:
            yield Fault(f"{path}.argument[{index}].name", f"the template has no {{{{{name[:100]}}}}}")


def rendered(prompt: Prompt, given: Mapping[str, str]) -> str:
    """The words with the arguments in their places; one that is not required and not given is nothing.

    :raises InputInvalid: if one is missing, unknown or no text, or all of it is too long
    """
    known = {one.name: one for one in prompt.arguments}
    for name, value in given.items():
        if name not in known:
            raise InputInvalid(f"the prompt {prompt.name} has no argument {name[:100]!r}{nearest(name, list(known))}")
        if not isinstance(value, str):
            raise InputInvalid(f"the argument {name} of the prompt {prompt.name} is a text")
    missing = [name for name, one in known.items() if one.required and name not in given]
    if missing:
        raise InputInvalid(f"the prompt {prompt.name} needs {', '.join(missing)}")
    if (
        len(prompt.template) + sum(len(given.get(place.strip(), "")) for place in _PLACE.findall(prompt.template))
        > _MOST
    ):
        raise InputInvalid(f"a prompt has {_MOST:,} characters at most, its arguments included")
    return _PLACE.sub(lambda place: given.get(place[1].strip(), ""), prompt.template)
