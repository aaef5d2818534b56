"""A home on disk: made once, opened by its owner only, locked by one process, never on a network file system."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import DiskFull, HomeBusy, HomeExists, HomeMissing, HomeUnsafe, NetworkFilesystem
from remit.host import Client, Home, Kernel, connect, init, read_journal, verify_journal
from remit.host.home.home import filesystem_of

MOUNTINFO = r"""
22 27 0:20 / /proc rw,nosuid shared:5 - proc proc rw
27 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
40 27 0:45 / /srv/share rw,relatime shared:20 - nfs4 server:/export rw,vers=4.2
41 40 0:46 / /srv/share/local rw - ext4 /dev/sdb1 rw
42 27 0:47 / /mnt/with\040space rw - cifs //server/share rw
43 27 0:48 / /mnt/tab\011and\134slash rw - fuse.sshfs host:/ rw
44 27 0:49 / /mnt/é rw master:3 - nfs server:/e rw
45 27 0:50 / /twice rw - ext4 /dev/sdc1 rw
46 45 0:51 / /twice rw - nfs server:/t rw
47 27 0:52 / /mnt/optional rw a:1 b:2 c:3 - 9p share rw
a line that is none
48 27 0:53 / /cut -
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/home/me", "ext4"),
        ("/srv/share", "nfs4"),
        ("/srv/share/deep/er", "nfs4"),
        ("/srv/shared", "ext4"),
        ("/srv/share/local/x", "ext4"),
        ("/mnt/with space/x", "cifs"),
        ("/mnt/tab\tand\\slash/x", "fuse.sshfs"),
        ("/mnt/é/x", "nfs"),
        ("/twice/x", "nfs"),
        ("/mnt/optional/x", "9p"),
        ("/proc/self", "proc"),
        ("/cut/x", "ext4"),
    ],
)
def test_the_file_system_below_a_path_is_that_of_its_nearest_mount(path, kind):
    assert filesystem_of(Path(path), MOUNTINFO) == kind


@given(st.text(max_size=300), st.text(max_size=30).filter(lambda text: "\0" not in text))
def test_any_text_has_an_answer(mountinfo, path):
    assert isinstance(filesystem_of(Path("/", path), mountinfo), str)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_a_network_file_system_is_refused_to_new_homes_and_old(home, tmp_path, monkeypatch, kind):
    monkeypatch.setattr("remit.host.home.home.filesystem_of", lambda _path, _text: kind)
    for use in (lambda: init(tmp_path / "new"), lambda: Kernel.open(home), lambda: verify_journal(home)):
        with pytest.raises(NetworkFilesystem, match=kind):
            use()


def test_a_home_is_made_once(home):
    with pytest.raises(HomeExists):
        init(home)
    assert verify_journal(home).records == 1


def test_what_is_no_home_is_missing(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / ".remit").write_text("")
    for place in ("nowhere", "file", "odd", ""):
        for use in (Kernel.open, connect, read_journal, verify_journal):
            with pytest.raises(HomeMissing):
                use(tmp_path / place)


def test_a_home_without_its_configuration_does_not_start_and_holds_no_lock(home):
    content = (home / "remit.toml").read_bytes()
    (home / "remit.toml").unlink()
    with pytest.raises(HomeMissing):
        Kernel.open(home)
    (home / "remit.toml").write_bytes(content)
    Kernel.open(home).close()


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777])
def test_a_home_that_others_may_enter_is_unsafe(home, mode):
    (home / ".remit").chmod(mode)
    with pytest.raises(HomeUnsafe):
        Kernel.open(home)


def test_everything_of_the_kernel_is_its_owners_alone(active_home):
    with Kernel.open(active_home):
        for path in (active_home / ".remit").rglob("*"):
            assert path.lstat().st_mode & 0o077 == 0 or stat.S_ISREG(path.lstat().st_mode), path
        sock = (active_home / ".remit" / "kernel.sock").lstat()
    assert stat.S_ISSOCK(sock.st_mode)
    assert stat.S_IMODE(sock.st_mode) == 0o600
    assert stat.S_IMODE((active_home / ".remit").lstat().st_mode) == 0o700


def test_a_key_is_made_once_and_a_damaged_one_is_not_used(home):
    opened = Home.open(home)
    key = opened.secret("seal")
    assert len(key) == 32
    assert Home.open(home).secret("seal") == key != opened.secret("other")
    (home / ".remit" / "keys" / "seal").write_bytes(key[:-1])
    with pytest.raises(HomeUnsafe, match="seal"):
        opened.secret("seal")


# ---- the lock ----


def test_the_second_kernel_is_told_who_is_the_first(home):
    with Kernel.open(home, program="first"):
        with pytest.raises(HomeBusy, match=rf"process {os.getpid()} \(first\)") as caught:
            Kernel.open(home)
        assert caught.value.details["holder"] == os.getpid()
    Kernel.open(home).close()


def test_another_process_is_named_too(home, other_kernel):
    one = other_kernel(home)
    with pytest.raises(HomeBusy, match=rf"process {one.pid} \(other\)"):
        Kernel.open(home)
    one.tell()
    one.until("closed")
    Kernel.open(home).close()


def test_a_killed_holder_holds_nothing(home, other_kernel):
    one = other_kernel(home)
    one.kill()
    assert (home / ".remit" / "kernel.sock").exists()
    with Kernel.open(home) as kernel:
        assert kernel.home().pid == os.getpid()
        client = Client(Home.open(home))
        assert client.home().pid == os.getpid()
        client.close()
    assert verify_journal(home).records >= 1


FORK = """
import os, sys, time
from remit.host import Kernel
kernel = Kernel.open(sys.argv[1])
child = os.fork()
if child == 0:
    os.setsid()
    sys.stdin.read()
    os._exit(0)
print(child, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_child_that_outlives_the_kernel_does_not_keep_its_lock(home, program):
    one = program(FORK, home)
    child = int(one.line())
    one.process.wait(30)
    os.kill(child, 0)  # it lives
    Kernel.open(home).close()
    one.process.stdin.close()


def test_a_stale_socket_is_replaced(home):
    path = home / ".remit" / "kernel.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    with connect(home) as connection:
        assert connection.is_kernel
        client = Client(Home.open(home))
        assert client.home().pid == os.getpid()
        client.close()
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 100, b"[]", b'{"pid": "x"}'])
def test_a_lock_that_names_nobody_is_still_a_lock(home, content):
    with Kernel.open(home):
        (home / ".remit" / "lock").write_bytes(content)
        with pytest.raises(HomeBusy, match="another process"):
            Kernel.open(home)
    Kernel.open(home).close()


def test_a_full_disk_keeps_a_kernel_from_starting_and_leaves_no_lock(home, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(DiskFull):
            Kernel.open(home)
    Kernel.open(home).close()


def test_a_long_path_is_no_obstacle(home_template, tmp_path):
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 8)
    deep.parent.mkdir(parents=True)
    shutil.copytree(home_template, deep)
    assert len(str(deep / ".remit" / "kernel.sock")) > 200
    with Kernel.open(deep):
        client = Client(Home.open(deep))
        assert client.home().root == str(deep)
        client.close()
