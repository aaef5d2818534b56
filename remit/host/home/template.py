"""The ``remit.toml`` that a new home starts with."""

from __future__ import annotations

from remit.schemas import formats

__all__ = ["TEMPLATE"]

TEMPLATE = f"""\
# What this host should run. 'remit unit plan' shows what would change; 'remit unit apply' does it.
schema = "{formats.HOME}"

[policy]
posture = "standard"            # relaxed | standard | strict; your own policies go to policy/*.cedar

# A document is JSON that your application reads (kernel.document("assistant")) and units may patch.
[document.assistant]
base = {{ model = "small", guards = {{}} }}

# Units, in order: later patches win. 'remit unit apply ID' adds them here.
# [[unit]]
# id = "acme/tone"
# version = "^1.0"
"""
