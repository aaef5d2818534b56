"""``python -m remit_unit src/unit.py``: write the schemas of a module's actions into ``schemas/`` of this folder."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

from remit_unit.schemas import input_schema, output_schema
from remit_unit.serving import ACTIONS


def main(source: Path) -> None:
    """Import a module and write two files for each of its actions."""
    sys.path.insert(0, str(source.parent))
    runpy.run_path(str(source))
    folder = Path("schemas")
    folder.mkdir(exist_ok=True)
    for name, function in ACTIONS.items():
        for which, schema in (("input", input_schema(function)), ("output", output_schema(function))):
            path = folder / f"{name}.{which}.json"
            path.write_text(json.dumps(schema, indent=2) + "\n", "utf-8")
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
