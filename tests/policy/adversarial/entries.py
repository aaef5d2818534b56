"""A list of attacks: each has a name, and one function that shows what becomes of it."""

from __future__ import annotations


class Entries(dict):
    """Functions by the name of the attack, in order; ``@entries("name")`` adds one."""

    def __call__(self, name):
        assert name not in self, name

        def add(function):
            self[name] = function
            return function

        return add
