"""Killing an operation at its points, and judging what each next start finds."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.crash.scenes import Scene

__all__ = ["Verdict", "Zygote", "kill"]


class Zygote:
    """A process that forks for each command (:mod:`tests.crash.zygote`)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.zygote"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def run(self, folder: Path, words: Sequence[str], point: int = 0) -> dict[str, Any]:
        """Run a command; with a point, it is killed there."""
        answer = self.ask(run=[*words], folder=str(folder), point=point)
        expected = -signal.SIGKILL if point else 0
        if answer["status"] != expected or answer.get("code", 0):
            raise AssertionError(f"{' '.join(words)}, point {point}: {answer}")
        return answer

    def look(self, home: Path) -> dict[str, Any]:
        """What a start of the home finds."""
        answer = self.ask(look=str(home))
        if answer["status"] or answer["wrong"]:
            raise AssertionError(f"{home}: {answer.get('wrong') or answer}")
        found: dict[str, Any] = answer["found"]
        return found

    def close(self) -> None:
        self._process.communicate()


@dataclass
class Verdict:
    """What became of a scene: how many points it has, at which it was killed, and what came of each."""

    points: int
    old: list[int] = field(default_factory=list)
    new: list[int] = field(default_factory=list)


def kill(scene: Scene, folder: Path, most: int) -> Verdict:
    """Kill a scene at up to ``most`` of its points, spread evenly, the last one among them.

    :raises AssertionError: if a next start finds anything but the old home or the new one, or repeating the operation
        does not give the new one
    """
    template = folder / "template"
    template.mkdir()
    scene.prepare(template)
    words = (*scene.words, "--home", "home")
    with closing(Zygote()) as first, closing(Zygote()) as second:
        zygotes = [first, second]
        old = first.look(template / "home")
        done = shutil.copytree(template, folder / "done", symlinks=True)
        points = first.run(done, words)["points"]
        new = first.look(done / "home")
        assert any(old[part] != new[part] for part in scene.whole), f"{scene.name} changes nothing"
        verdict, wanted = Verdict(points), _but_ids(new)

        def at(point: int, zygote: Zygote) -> str:
            place = shutil.copytree(template, folder / f"at-{point}", symlinks=True)
            zygote.run(place, words, point)
            found = zygote.look(place / "home")
            state = _judge(scene, old, found, new)
            if scene.again or state == "old":
                zygote.run(place, words)
            again = _but_ids(zygote.look(place / "home"))
            assert again == wanted, f"{scene.name}, point {point}, repeated: {_differing(again, wanted)}"
            shutil.rmtree(place)
            return state

        chosen = sorted({max(1, points * number // most) for number in range(1, most + 1)})
        with ThreadPoolExecutor(len(zygotes)) as pool:
            parts = [
                pool.submit(lambda n=n: [(p, at(p, zygotes[n])) for p in chosen[n :: len(zygotes)]]) for n in (0, 1)
            ]
            for point, state in sorted(one for part in parts for one in part.result()):
                (verdict.old if state == "old" else verdict.new).append(point)
    return verdict


def _judge(scene: Scene, old: dict[str, Any], found: dict[str, Any], new: dict[str, Any]) -> str:
    for name, wanted in (("old", old), ("new", new)):
        if all(found[part] == wanted[part] for part in scene.whole):
            between = {*old["installed"]} ^ {*new["installed"]}
            assert {*found["installed"]} ^ {*wanted["installed"]} <= between
            return name
    raise AssertionError(
        f"{scene.name}: a mixture; unlike the old {_differing(found, old)}, unlike the new {_differing(found, new)}"
    )


def _differing(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    return {part: (found[part], wanted[part]) for part in wanted if found[part] != wanted[part]}


def _but_ids(found: dict[str, Any]) -> dict[str, Any]:
    """Grants have ids that no two runs share."""
    return {**found, "grants": len(found["grants"])}
