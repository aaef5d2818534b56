"""The file of a native unit's modules: one spelling, bounded, and what is read is what runs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import ArtifactInvalid
from remit.schemas.modules import decode_modules, encode_modules, module_path

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}(/[a-z_][a-z0-9_]{0,8}){0,2}\.py", fullmatch=True)


@given(st.dictionaries(NAMES, st.text(), max_size=8))
def test_what_was_written_is_read(modules):
    assert decode_modules(encode_modules(modules)) == modules


@given(st.dictionaries(NAMES, st.text(), min_size=1, max_size=4), st.sampled_from([None, 0, 2]))
def test_another_spelling_is_refused(modules, indent):
    file = json.loads(encode_modules(modules))
    with pytest.raises(ArtifactInvalid):
        decode_modules(json.dumps(file, indent=indent).encode())


def test_a_module_that_stands_twice_is_refused():
    data = encode_modules({"unit.py": "good"})
    twice = data.replace(b'"unit.py"', b'"unit.py": "bad",\n  "unit.py"')
    with pytest.raises(ArtifactInvalid):
        decode_modules(twice)


@pytest.mark.parametrize(
    "path", ["../unit.py", "/unit.py", "unit", "a/../b.py", "a.b.py", "ünit.py", "", "a/" * 12 + "b.py", "unit.py\n"]
)
def test_a_path_that_is_none_of_a_module_is_refused(path):
    with pytest.raises(ArtifactInvalid):
        encode_modules({path: ""})


@pytest.mark.parametrize("data", [b"", b"\0asm", b"[]", b'{"format": "native/v2", "modules": {}}', b'{"modules": 1}'])
def test_other_files_are_refused(data):
    with pytest.raises(ArtifactInvalid):
        decode_modules(data)


def test_too_much_is_refused_before_it_is_read():
    with pytest.raises(ArtifactInvalid):
        encode_modules({"unit.py": "x" * (17 << 20)})
    with pytest.raises(ArtifactInvalid):
        encode_modules({f"m{number}.py": "" for number in range(2_001)})


def test_a_package_comes_before_a_module_of_its_name():
    modules = {"a.py": "", "a/__init__.py": "", "b.py": ""}
    found = [module_path(modules, name) for name in ("a", "b", "c")]
    assert found == ["a/__init__.py", "b.py", None]
