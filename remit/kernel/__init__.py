"""The kernel: one path from a caller to a unit's action and back into the journal, and the ports that join the rooms.

``model`` and ``ports`` say what crosses, ``dispatch`` and ``outcome`` perform a call, ``scope``, ``hostcall`` and
``effects`` are what a running unit may touch, ``hookspecs`` and ``offers`` what plugins may bring. It
knows neither Cedar, wasmtime, manifests nor sockets. At most 2,000 lines, held by a check.
"""
