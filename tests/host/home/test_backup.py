"""Backups: taken while a home works, restored whole or not at all, and never believed."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from remit.errors import BackupInvalid, HomeExists, RemitError, UsageError
from remit.host import Client, Home, Kernel, connect, init, restore, verify_journal


@pytest.fixture
def home(tmp_path: Path) -> Path:
    init(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def kernel(home: Path, tmp_path: Path) -> Iterator[Kernel]:
    folder = tmp_path / "tone"
    folder.mkdir()
    (folder / "unit.toml").write_text(
        'schema = "unit/v1"\nid = "acme/tone"\nversion = "1.0.0"\nkind = "config"\ntitle = "t"\n'
        'license = "Apache-2.0"\n[[patch]]\ntarget = "assistant"\nop = "merge"\nvalue = { tone = true }\n'
    )
    (home / "policy/more.cedar").write_text("// nothing\n")
    with Kernel.open(home) as opened:
        opened.install(str(folder), allow_unsigned=True)
        opened.apply(opened.plan(add=["acme/tone"]), consent=True)
        yield opened


@pytest.fixture
def file(kernel: Kernel, tmp_path: Path) -> Path:
    path = tmp_path / "home.backup"
    kernel.backup(str(path))
    return path


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The backup with its members changed, its list as it was."""
    with tarfile.open(path) as archive:
        members = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    change(members)
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def test_a_restored_home_is_the_one_that_was_backed_up(kernel: Kernel, file: Path, tmp_path: Path) -> None:
    root = tmp_path / "again"
    made = restore(file, root)
    with Kernel.open(root, serve=False) as again:
        assert again.home().id == kernel.home().id == made.home
        assert again.history() == kernel.history()[: len(again.history())]
        assert again.document("assistant") == kernel.document("assistant")
        assert not again.plan().changed
        [record] = again.events(prefixes=["home.restored"])
        assert record["seq"] == made.seq + 1
    verify_journal(root)
    assert (root / "policy/more.cedar").read_text() == "// nothing\n"
    assert (root / ".remit").stat().st_mode & 0o777 == 0o700
    assert not list(tmp_path.glob(".again*"))


def test_a_backup_under_load_is_one_moment(kernel: Kernel, home: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    sent = []

    def load() -> None:
        client = Client(Home.open(home))
        while not stop.is_set():
            sent.append(client.emit("news.flash", len(sent))["seq"])
        client.close()

    thread = threading.Thread(target=load)
    thread.start()
    try:
        made = [kernel.backup(str(tmp_path / f"{n}.backup")) for n in range(3)]
    finally:
        stop.set()
        thread.join()
    assert made[0].seq < made[2].seq
    for number, view in enumerate(made):
        root = tmp_path / f"home-{number}"
        restore(tmp_path / f"{number}.backup", root)
        with connect(root) as again:
            numbers = [one["event"]["data"] for one in again.events(prefixes=["news."], limit=10_000)]
            assert numbers == list(range(len(numbers)))
            assert len(numbers) == sum(seq <= view.seq for seq in sent)


def test_a_backup_replaces_the_one_before_only_when_it_is_whole(kernel: Kernel, file: Path) -> None:
    before = file.read_bytes()
    second = kernel.backup(str(file))
    assert file.read_bytes() != before
    assert file.stat().st_mode & 0o777 == 0o600
    assert kernel.events(prefixes=["home.saved"])[-1]["event"]["data"]["seq"] == second.seq
    assert not list(file.parent.glob(".*.tmp"))


def test_a_path_that_depends_on_where_the_kernel_is_is_refused(kernel: Kernel) -> None:
    with pytest.raises(UsageError):
        kernel.backup("home.backup")


def test_what_can_be_made_again_is_not_in_it(file: Path) -> None:
    with tarfile.open(file) as archive:
        names = archive.getnames()
    assert ".remit/journal.db" in names
    assert not {".remit/lock", ".remit/head.json", ".remit/kernel.sock"} & {*names}
    assert not any(name.startswith(".remit/cache") for name in names)


def test_nothing_is_restored_over_what_is_there(file: Path, home: Path, tmp_path: Path) -> None:
    with pytest.raises(HomeExists):
        restore(file, home)
    (tmp_path / "empty").mkdir()
    restore(file, tmp_path / "empty")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_backup_that_was_cut_off_is_refused(file: Path, tmp_path: Path, share: float) -> None:
    data = file.read_bytes().rstrip(b"\0")
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BackupInvalid):
        restore(file, tmp_path / "again")
    assert {path.name for path in tmp_path.iterdir()} == {"home", "tone", "home.backup"}


CHANGES: dict[str, Callable[[dict[str, bytes]], object]] = {
    "a file was changed": lambda members: members.update({"remit.toml": b"x"}),
    "a file is missing": lambda members: members.pop("remit.toml"),
    "a file was added": lambda members: members.update({"policy/evil.cedar": b"permit"}),
    "a path leads out": lambda members: members.update({"../evil": b"x"}),
    "a path is absolute": lambda members: members.update({"/tmp/evil": b"x"}),
    "a lock": lambda members: members.update({".remit/lock": b"x"}),
    "no list": lambda members: members.pop("backup.json"),
    "a list that is none": lambda members: members.update({"backup.json": b"[]"}),
    "a list of another format": lambda members: members.update(
        {"backup.json": members["backup.json"].replace(b"backup/v1", b"backup/v9")}
    ),
    "a database that is none": lambda members: members.update({".remit/journal.db": b"SQLite?" * 1000}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_backup_that_was_changed_is_refused_and_nothing_is_left(file: Path, tmp_path: Path, change: str) -> None:
    def changed(members: dict[str, bytes]) -> None:
        CHANGES[change](members)
        if (listed := members.pop("backup.json", None)) is not None:  # it comes last
            members["backup.json"] = listed

    rewritten(file, changed)
    with pytest.raises(BackupInvalid):
        restore(file, tmp_path / "again")
    assert {path.name for path in tmp_path.iterdir()} == {"home", "tone", "home.backup"}


def test_a_link_in_a_backup_is_refused(file: Path, tmp_path: Path) -> None:
    with tarfile.open(file, "w") as archive:
        member = tarfile.TarInfo("policy/link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(BackupInvalid):
        restore(file, tmp_path / "again")


def test_a_journal_that_was_changed_with_its_list_is_still_refused(file: Path, tmp_path: Path) -> None:
    """The list protects nothing against somebody who writes both: the chain does."""

    def forge(members: dict[str, bytes]) -> None:
        database = members[".remit/journal.db"].replace(b"acme/tone", b"acme/evil")
        contents = msgspec.json.decode(members.pop("backup.json"))
        members[".remit/journal.db"] = database
        contents["files"][".remit/journal.db"]["sha256"] = hashlib.sha256(database).hexdigest()
        members["backup.json"] = msgspec.json.encode(contents)

    with pytest.raises(RemitError):
        restore(rewritten(file, forge), tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_what_the_operator_keeps_elsewhere_is_not_in_it(kernel: Kernel, home: Path, tmp_path: Path) -> None:
    (tmp_path / "root.json").write_text("{}")
    (home / "own.json").write_text("{}")
    with (home / "remit.toml").open("a") as file:
        for name, root in (("a", tmp_path / "root.json"), ("b", "../root.json"), ("c", "own.json")):
            file.write(f'\n[registry.{name}]\nurl = "oci://{name}.example"\nroot = "{root}"\n')
    kernel.plan()
    kernel.backup(str(tmp_path / "home.backup"))
    with tarfile.open(tmp_path / "home.backup") as archive:
        assert [name for name in archive.getnames() if name.endswith(".json")] == ["own.json", "backup.json"]
