"""The .unit file: one encoding per bundle; any other bytes are refused with one kind of error."""

from __future__ import annotations

import contextlib
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import BundleInvalid
from remit.kernel.model import Referrer
from remit.registry import decode, encode, pack, unitfile

BESIDE = [Referrer("application/vnd.one+json", b'{"one":1}'), Referrer("application/vnd.two+json", b"")]
FILES = {"unit.toml": b"schema", "a.wasm": b"\0asm123", "schemas/in.json": b"{}", "empty": b""}
BUNDLE = pack(FILES, referrers=BESIDE)
DATA = encode(BUNDLE)

files = st.dictionaries(
    st.text("abc019", min_size=1, max_size=5), st.binary(max_size=50), max_size=5
).map(lambda found: found | {"unit.toml": b"x"})  # fmt: skip


def refused(data: bytes) -> bool:
    """Whether the bytes are refused, by the one exception that callers expect."""
    try:
        decode(data)
    except BundleInvalid:
        return True
    return False


@given(files)
def test_a_bundle_comes_back_as_it_was(found):
    bundle = pack(found, origin="here")
    assert decode(encode(bundle), origin="here") == bundle


def test_what_travels_beside_a_bundle_comes_back_and_is_no_part_of_its_digest():
    assert set(decode(DATA).referrers) == set(BESIDE)
    assert BUNDLE.digest == pack(FILES).digest
    assert encode(pack(FILES, referrers=BESIDE[::-1])) == DATA


def test_more_beside_a_bundle_than_may_be_is_refused(monkeypatch):
    many = [Referrer("application/x", str(number).encode()) for number in range(17)]
    assert refused(encode(pack(FILES, referrers=many)))
    monkeypatch.setattr(unitfile, "MAX_REFERRER", 8)
    assert refused(DATA)


@given(files)
def test_any_zip_tool_reads_it(found):
    with zipfile.ZipFile(io.BytesIO(encode(pack(found)))) as archive:
        assert archive.testzip() is None
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    assert entries.pop(".oci-manifest.json") == pack(found).oci_manifest
    assert entries == found


def test_every_single_flipped_bit_is_refused():
    for position in range(len(DATA)):
        for bit in range(8):
            flipped = bytearray(DATA)
            flipped[position] ^= 1 << bit
            assert refused(bytes(flipped)), (position, bit)


@given(st.dictionaries(st.integers(0, len(DATA) - 1), st.integers(1, 255), min_size=1, max_size=8))
def test_flipped_bytes_are_refused(flips):
    flipped = bytearray(DATA)
    for position, mask in flips.items():
        flipped[position] ^= mask
    assert refused(bytes(flipped))


def test_every_truncation_is_refused():
    assert all(refused(DATA[:length]) for length in range(len(DATA)))


@given(st.integers(0, len(DATA)), st.binary(min_size=1, max_size=40))
def test_inserted_bytes_are_refused(position, extra):
    assert refused(DATA[:position] + extra + DATA[position:])


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: b"PK\x03\x04" + tail))
def test_arbitrary_bytes_are_refused(data):
    assert refused(data)


def entries_of(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_by_another_hand_is_refused(method):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries_of(DATA):
            archive.writestr(name, content)
    assert refused(buffer.getvalue())


def test_another_order_of_entries_is_refused():
    first, *rest = entries_of(DATA)
    assert not refused(unitfile._archive([first, *rest]))
    assert refused(unitfile._archive([first, *reversed(rest)]))
    assert refused(unitfile._archive([*rest, first]))


def test_a_content_that_its_manifest_does_not_name_is_refused():
    (name, manifest), *rest = entries_of(DATA)
    altered = [(entry, b"other" if entry == "unit.toml" else content) for entry, content in rest]
    assert refused(unitfile._archive([(name, manifest), *altered]))
    assert refused(unitfile._archive([(name, manifest), *rest, ("zz", b"")]))
    assert refused(unitfile._archive(rest))


def test_a_name_that_climbs_is_refused():
    first, *rest = entries_of(DATA)
    assert refused(unitfile._archive([first, *rest, ("../../etc/passwd", b"x")]))
    assert refused(unitfile._archive([first, *rest, rest[0]]))


def test_too_many_entries_are_refused_before_they_are_packed():
    with contextlib.suppress(BundleInvalid):
        decode(unitfile._archive((f"f{number}", b"") for number in range(10_000)))
        pytest.fail("accepted")


def test_an_oversized_file_is_refused(monkeypatch):
    monkeypatch.setattr(unitfile, "MAX_UNIT_FILE", len(DATA) - 1)
    with pytest.raises(BundleInvalid, match="are allowed"):
        decode(DATA)
