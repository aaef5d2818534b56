"""Who may tend a home, and who may take it away in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remit.errors import Denied
from remit.host import Kernel, init
from remit.kernel.model import Caller

TENDING: dict[str, Callable[[Kernel, Caller], object]] = {
    "gc": lambda kernel, caller: kernel.gc(caller=caller),
    "mend": lambda kernel, caller: kernel.mend(["home.files"], caller=caller),
    "archive": lambda kernel, caller: kernel.archive(keep=10, caller=caller),
    "clear_cache": lambda kernel, caller: kernel.clear_cache(caller=caller),
}


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    init(tmp_path / "home")
    with (tmp_path / "home/remit.toml").open("a") as file:
        file.write('[operator.olga]\nroles = ["operator"]\n[operator.vera]\nroles = ["viewer"]\n')
    with Kernel.open(tmp_path / "home", serve=False) as opened:
        yield opened


@pytest.mark.parametrize("work", TENDING)
def test_operators_tend_a_home_and_viewers_do_not(kernel: Kernel, work: str) -> None:
    TENDING[work](kernel, Caller(principal="olga"))
    with pytest.raises(Denied, match="home:tend"):
        TENDING[work](kernel, Caller(principal="vera"))


def test_only_owners_take_a_backup_since_it_holds_the_keys(kernel: Kernel, tmp_path: Path) -> None:
    with pytest.raises(Denied, match="home:backup"):
        kernel.backup(str(tmp_path / "stolen"), caller=Caller(principal="olga"))
    assert not (tmp_path / "stolen").exists()
    kernel.backup(str(tmp_path / "kept"))
