"""Answers with its input."""

from wit_world import exports


class Provider(exports.Provider):
    def call(self, action: str, input: str) -> str:
        return input
