"""Watching a document: every change as a JSON Patch, in process and over the home's socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonpatch
import pytest

from remit.errors import DocumentUnknown
from remit.host import Client, Facade, Home, Kernel


@pytest.fixture(params=["kernel", "client"])
def facade(request: pytest.FixtureRequest, home: Path) -> Iterator[Facade]:
    with Kernel.open(home) as kernel:
        if request.param == "kernel":
            yield kernel
            return
        client = Client(Home.open(home))
        yield client
        client.close()


def follow(seen: Any, patch: list[dict[str, Any]]) -> Any:
    return jsonpatch.apply_patch(seen, patch)


def test_the_patches_make_what_the_document_is_after_each_change(facade: Facade, author) -> None:
    changes = facade.watch("assistant")
    first = next(changes)
    seen = follow({}, first.patch)
    assert seen == facade.document("assistant")
    assert first.generation == 0
    for number, tone in enumerate(["calm", "brisk"], 1):
        facade.install(
            str(
                author.config(
                    "acme/tone", f'{{ tone = {{ is = "{tone}", list = [1, {number}] }} }}', version=f"1.{number}.0"
                )
            ),
            allow_unsigned=True,
        )
        facade.apply(facade.plan(add=[f"acme/tone@~1.{number}"]), consent=True)
        change = next(changes)
        seen = follow(seen, change.patch)
        assert (change.generation, seen) == (number, facade.document("assistant"))
    facade.revert("0")
    assert follow(seen, next(changes).patch) == facade.document("assistant")


def test_another_documents_changes_are_not_shown(home: Path, facade: Facade, author) -> None:
    with (home / "remit.toml").open("a") as file:
        file.write('\n[document.routing]\nbase = { to = "a" }\n')
    changes = facade.watch("assistant")
    next(changes)
    other = 'target = "routing"\nop = "merge"\nvalue = { to = "b" }'
    for name, patch in (("acme/route", other), ("acme/tone", '{ tone = "calm" }')):
        facade.install(str(author.config(name, patch)), allow_unsigned=True)
        facade.apply(facade.plan(add=[name]), consent=True)
    assert next(changes).generation == facade.home().generation == 2


def test_a_document_that_nobody_declared_cannot_be_watched(facade: Facade) -> None:
    with pytest.raises(DocumentUnknown):
        facade.watch("nothing")
