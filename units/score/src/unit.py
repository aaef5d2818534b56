"""acme/score: the transform's face to the kernel. The judgement is in ``readiness``."""

from __future__ import annotations

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import Error_Failed

from readiness import patches


class Transformer(exports.Transformer):
    """Context in, patches out; nothing else can be reached from here."""

    def transform(self, context: str) -> str:
        """The patches for this context; whatever goes wrong is the unit's answer and never a trap."""
        try:
            return json.dumps(patches(json.loads(context)), ensure_ascii=False)
        except Exception as error:
            raise Err(Error_Failed(f"{type(error).__name__}: {error}")) from error
