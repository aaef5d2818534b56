"""What a component's types say: our contract, its signatures, and the JSON that stands for their values."""

from __future__ import annotations
