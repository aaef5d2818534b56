"""An operator in a process of its own: reads scripts, does them in a home that others change too, says what came of it.

Run as a program by :mod:`tests.units.test_operators`, one request a line.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from remit.errors import PlanStale, RemitError
from remit.host import Connection, connect
from remit.journal import digest_of, encode_json

_ATTEMPTS = 20


def change(connection: Connection, step: dict[str, Any]) -> dict[str, Any]:
    """Plan and apply, planning again when somebody was faster."""
    for _ in range(_ATTEMPTS):
        try:
            plan = connection.plan(**step)
            if not plan.changed:
                return {"step": step, "nothing": True}
            generation = connection.apply(plan, consent=True)
        except PlanStale:
            continue
        except RemitError as error:
            return {"step": step, "refused": error.code}
        return {"step": step, "number": generation.number, "digest": digest_of(encode_json(generation.units))}
    return {"step": step, "refused": "always stale"}


def main() -> None:
    """Serve requests until there are no more."""
    for line in sys.stdin:
        request = json.loads(line)
        with connect(request["home"]) as connection:
            done = [change(connection, step) for step in request["script"]]
        sys.stdout.write(json.dumps(done) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
