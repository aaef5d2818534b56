"""Sources: a folder gives what its manifest names and nothing else; a file gives exactly its bundle."""

from __future__ import annotations

import os

import pluggy
import pytest

from remit.errors import ArtifactMissing, BundleInvalid, ManifestInvalid
from remit.kernel import hookspecs
from remit.registry import FolderSource, RegistrySource, UnitFileSource, encode, pack, plugin, verify

FOLDER = FolderSource()
FILE = UnitFileSource()


def test_a_folder_gives_what_its_manifest_names_and_nothing_else(unit_folder, unit_files):
    bundle = FOLDER.fetch(str(unit_folder))
    assert dict(bundle.files) == unit_files
    assert (bundle.local, bundle.origin) == (True, str(unit_folder))
    verify(bundle)


def test_folder_and_file_give_the_same_unit(unit_folder, tmp_path):
    bundle = FOLDER.fetch(str(unit_folder))
    path = tmp_path / "redact.unit"
    path.write_bytes(encode(bundle))
    assert FILE.fetch(str(path)).digest == bundle.digest


def test_each_source_knows_its_references(unit_folder, tmp_path):
    for reference, folder, file in (
        (str(unit_folder), True, False),
        (str(tmp_path / "x.unit"), False, True),
        ("acme/redact", False, False),
        (str(unit_folder / "unit.toml"), False, False),
        ("", False, False),
        ("nul\0", False, False),
        ("x" * 10_000, False, False),
    ):
        assert (FOLDER.accepts(reference), FILE.accepts(reference)) == (folder, file)


def test_an_artifact_that_is_not_built_is_named(unit_folder):
    (unit_folder / "redact.wasm").unlink()
    with pytest.raises(ArtifactMissing, match=r"redact\.wasm"):
        FOLDER.fetch(str(unit_folder))


def test_a_missing_schema_is_refused(unit_folder):
    (unit_folder / "schemas" / "in.json").unlink()
    with pytest.raises(BundleInvalid, match=r"schemas/in\.json"):
        FOLDER.fetch(str(unit_folder))


def test_readme_and_licence_are_optional(unit_folder):
    (unit_folder / "README.md").unlink()
    (unit_folder / "LICENSE").unlink()
    assert "README.md" not in FOLDER.fetch(str(unit_folder)).files


@pytest.mark.parametrize("name", ["unit.toml", "redact.wasm", "schemas/in.json", "README.md"])
def test_a_link_out_of_the_folder_is_refused(unit_folder, tmp_path, name):
    outside = tmp_path / "outside"
    outside.write_bytes((unit_folder / name).read_bytes())
    (unit_folder / name).unlink()
    (unit_folder / name).symlink_to(outside)
    with pytest.raises(BundleInvalid, match="leads out of the folder"):
        FOLDER.fetch(str(unit_folder))


@pytest.mark.parametrize("name", ["unit.toml", "redact.wasm", "README.md"])
def test_a_pipe_in_the_folder_is_refused_without_waiting(unit_folder, name):
    (unit_folder / name).unlink()
    os.mkfifo(unit_folder / name)
    with pytest.raises(BundleInvalid, match="not a regular file"):
        FOLDER.fetch(str(unit_folder))


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "schemas/../../outside", ".env"])
def test_a_manifest_cannot_name_a_file_beyond_its_bundle(unit_folder, name):
    (unit_folder.parent / "outside").write_bytes(b"hunter2")
    (unit_folder / "unit.toml").write_text(f'[parameters]\nschema = "{name}"\n')
    with pytest.raises(BundleInvalid):
        FOLDER.fetch(str(unit_folder))


@pytest.mark.parametrize(
    "text", ["runtime = 3\naction = 4", "[runtime]\nartifact = 5", "[[action]]\ninput = []\n", "parameters = []"]
)
def test_an_odd_manifest_is_packed_for_others_to_judge(unit_folder, text):
    (unit_folder / "unit.toml").write_text(text)
    assert set(FOLDER.fetch(str(unit_folder)).files) == {"unit.toml", "README.md", "LICENSE"}


def test_a_manifest_that_is_no_toml_is_refused_with_its_line(unit_folder):
    (unit_folder / "unit.toml").write_text("a = 1\nb =\n")
    with pytest.raises(ManifestInvalid, match="line 2"):
        FOLDER.fetch(str(unit_folder))


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(BundleInvalid, match=r"no unit\.toml"):
        FOLDER.fetch(str(tmp_path))


def test_a_missing_or_odd_unit_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.unit")
    (tmp_path / "loop.unit").symlink_to("loop.unit")
    (tmp_path / "text.unit").write_text("text")
    for name in ("absent.unit", "pipe.unit", "loop.unit", "text.unit", "nul\0.unit"):
        with pytest.raises(BundleInvalid):
            FILE.fetch(str(tmp_path / name))


def test_a_linked_unit_file_is_followed(tmp_path, unit_files):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.unit").write_bytes(encode(pack(unit_files)))
    (tmp_path / "b.unit").symlink_to("real/a.unit")
    assert FILE.fetch(str(tmp_path / "b.unit")).digest == pack(unit_files).digest


def test_progress_reaches_its_end(unit_folder, tmp_path, unit_files):
    path = tmp_path / "a.unit"
    path.write_bytes(encode(pack(unit_files)))
    for source, reference in ((FOLDER, unit_folder), (FILE, path)):
        shares = []
        source.fetch(str(reference), lambda _stage, share, seen=shares: seen.append(share))
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


def test_the_plugin_offers_every_source():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    (sources,) = manager.hook.remit_bundle_sources(home=None)
    assert [type(source) for source in sources] == [FolderSource, RegistrySource, UnitFileSource]
