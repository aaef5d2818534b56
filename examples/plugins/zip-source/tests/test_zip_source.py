"""Installing out of archives: whole ones, broken ones, and ones that would like to be larger than they look."""

from __future__ import annotations

import zipfile

import pytest

from remit.errors import BundleError, RemitError

import zip_source

MANIFEST = """schema = "unit/v1"
id = "acme/tone"
version = "1.0.0"
kind = "config"
[[patch]]
target = "assistant"
value = { tone = "warm" }
"""


@pytest.fixture
def install(remit_kernel):
    kernel = remit_kernel(plugins={"zip": zip_source})
    return lambda reference: kernel.install(reference, allow_unsigned=True)


def archive(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return path


@pytest.mark.parametrize(("prefix", "folder"), [("", ""), ("units/tone/", "#units/tone"), ("tone/", "#/tone/")])
def test_a_unit_is_installed_out_of_an_archive(install, tmp_path, prefix, folder):
    path = archive(tmp_path / "b.zip", **{f"{prefix}unit.toml": MANIFEST, f"{prefix}README.md": "# acme/tone", "x": ""})
    unit = install(f"zip:{path}{folder}")
    assert (unit.ref.id, unit.ref.admission, unit.origin) == ("acme/tone", "local", f"zip:{path}{folder}")


def test_the_same_files_are_the_same_unit_wherever_they_came_from(install, tmp_path):
    (tmp_path / "tone").mkdir()
    (tmp_path / "tone" / "unit.toml").write_text(MANIFEST)
    path = archive(tmp_path / "b.zip", **{"unit.toml": MANIFEST})
    assert install(f"zip:{path}").ref.digest == install(str(tmp_path / "tone")).ref.digest


@pytest.mark.parametrize("reference", ["zip:", "zip:nothing.zip", "zip:.", "zip:\0"])
def test_what_is_no_archive_is_refused(install, reference):
    with pytest.raises(BundleError):
        install(reference)


def test_an_archive_without_the_unit_or_with_half_of_it_is_refused(install, tmp_path):
    path = archive(tmp_path / "b.zip", **{"unit.toml": MANIFEST + '[parameters]\nschema = "p.json"\n'})
    with pytest.raises(BundleError, match=r"p\.json"):
        install(f"zip:{path}")
    with pytest.raises(BundleError, match=r"has no other/unit\.toml"):
        install(f"zip:{path}#other")


def test_a_cut_off_or_altered_archive_is_refused(install, tmp_path):
    whole = archive(tmp_path / "b.zip", **{"unit.toml": MANIFEST, "README.md": "x" * 1_000}).read_bytes()
    for number, data in enumerate([whole[:50], whole[:-30], whole[:45] + b"\xff" * 20 + whole[65:]]):
        (tmp_path / f"{number}.zip").write_bytes(data)
        with pytest.raises(RemitError):
            install(f"zip:{tmp_path / f'{number}.zip'}")


def test_a_bomb_is_read_to_the_limit_and_no_further(install, tmp_path):
    path = archive(tmp_path / "b.zip", **{"unit.toml": MANIFEST, "README.md": b"\0" * (65 << 20)})
    with pytest.raises(BundleError, match="64 MiB"):
        install(f"zip:{path}")
