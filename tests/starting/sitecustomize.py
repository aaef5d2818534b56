"""Python starts with this where it is on the path: a process that a test starts shares the run's machine code.

Nothing is imported before the process itself imports the compiler.
"""

import importlib.util
import os
import sys
from pathlib import Path


class _Sharing:
    """Finds one module as everybody does, and has it share once it is there."""

    def find_spec(self, name, _path=None, _target=None):
        if name != "remit.sandbox.code.compiling":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_share(module):
            execute(module)
            place = Path(__file__).parents[1] / "sharing.py"
            found = importlib.util.spec_from_file_location("remit_tests_sharing", place)
            sharing = importlib.util.module_from_spec(found)
            found.loader.exec_module(sharing)
            module._run = sharing.sharing(Path(os.environ["REMIT_TESTS_COMPILED"]), module._run)

        spec.loader.exec_module = execute_and_share
        return spec


if "REMIT_TESTS_COMPILED" in os.environ:
    sys.meta_path.insert(0, _Sharing())
