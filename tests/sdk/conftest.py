"""The SDK is a distribution of its own: its tests find it in the checkout."""

from __future__ import annotations

import sys
from pathlib import Path

SDK = Path(__file__).parents[2] / "sdk" / "python"
sys.path.insert(0, str(SDK))
