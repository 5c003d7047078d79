"""`pdbt archive` and `pdbt restore`: what comes back is what was there, and nothing gets out of its folder."""

from __future__ import annotations

import io
import os
import re
import stat
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pdbt.engine.errors import PdbtError, RunInProgress
from pdbt.engine.lock import run_lock
from pdbt.project import archive as archiving
from pdbt.project.archive import archive_project
from pdbt.project.archive_contents import OUTSIDE, REBUILT, SECRET, SPECIAL
from pdbt.project.restore import ArchiveRefused, restore_archive
from pdbt.scaffold.zstd import zstd_writer
from tests.conftest import MakeProject, RunProcess, RunProject
from tests.project.conftest import Pdbt

KINDS = ["zip", "zst"]
ORDERS = "id,status,amount\n1,paid,1.5\n2,open,2.5\n3,paid,3.5\n"
RESULT = "SELECT status, sum(amount) AS total FROM ORDERS GROUP BY status ORDER BY status\n"


@pytest.fixture
def project(make_project: MakeProject) -> Path:
    made = make_project()
    (made / "data/source/orders.csv").write_text(ORDERS, encoding="utf-8")
    (made / "scripts/final/RESULT.sql").write_text(RESULT, encoding="utf-8")
    return made


def described(folder: Path) -> dict[str, tuple[int, bytes | str]]:
    """Return everything below a folder by path: its mode, and what it holds or where it leads."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for path in sorted(folder.rglob("*")):
        content = str(path.readlink()) if path.is_symlink() else b"" if path.is_dir() else path.read_bytes()
        found[path.relative_to(folder).as_posix()] = (path.lstat().st_mode, content)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_a_person_wrote_comes_back(project: Path, tmp_path: Path, kind: str) -> None:
    (project / "data/source/Größe ☃ 表.csv").write_text("a\n1\n", encoding="utf-8")
    (project / "notes/empty folder").mkdir(parents=True)
    (project / "notes/script.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (project / "notes/script.sh").chmod(0o755)
    (project / "notes/private").write_text("", encoding="utf-8")
    (project / "notes/private").chmod(0o600)
    (project / "notes/link").symlink_to("../data/source/orders.csv")
    (project / "notes/dangling").symlink_to("nowhere")
    (project / "notes").chmod(0o750)
    (project / "data/final/by-hand.csv").write_text("kept\n", encoding="utf-8")
    (project / "db/.work/landed").mkdir(parents=True)
    (project / "db/.work/landed/T.parquet").write_bytes(b"rows that nobody gives again")
    before = described(project)

    archived = archive_project(project, kind, tmp_path)

    assert re.fullmatch(rf"shop-\d{{4}}-\d\d-\d\d-\d{{6}}(\.tar)?\.{kind}", archived.path.name)
    assert {item.path for item in archived.left_out} == {"db/.work/run.lock", "sample/db/.work/run.lock"}
    restored = restore_archive(archived.path, tmp_path / "again")
    assert {name: what for name, what in described(restored).items() if name != "sample/db/.work"} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "shop", archived.path.name]


@pytest.mark.parametrize("kind", KINDS)
def test_a_restored_project_runs_to_the_same_results(project: Path, tmp_path: Path, run_project: RunProject, kind: str) -> None:
    assert run_project(project).code == 0
    result = (project / "data/final/RESULT.csv").read_bytes()
    assert result == b"status,total\nopen,2.5\npaid,5.0\n"
    archived = archive_project(project, kind, tmp_path)
    assert archived.size < (project / "db/database.duckdb").stat().st_size
    restored = restore_archive(archived.path, tmp_path / "again")
    assert not (restored / "data/final/RESULT.csv").exists()
    assert not list(restored.glob("db/*.duckdb"))
    assert run_project(restored).code == 0
    assert (restored / "data/final/RESULT.csv").read_bytes() == result


def test_of_a_sample_the_project_is_archived_without_which_it_does_not_run(project: Path, tmp_path: Path, run_project: RunProject) -> None:
    restored = restore_archive(archive_project(project / "sample", "zst", tmp_path).path, tmp_path / "again")
    assert run_project(restored, script="sample/macro/python-run-process-sample.py").code == 0


def test_what_is_left_out_is_told(project: Path, tmp_path: Path, run_project: RunProject, pdbt: Pdbt) -> None:
    assert run_project(project).code == 0
    (project / "scripts/checks/NEVER.sql").write_text("SELECT * FROM RESULT", encoding="utf-8")
    assert run_project(project, "--full").code == 1  # what it had built waits for the next run
    for name in ("macro/my.logic.py", "data/final/RESULT.notes.txt"):
        (project / name).write_text("by hand\n", encoding="utf-8")
    (project / ".env").write_text("DATABASE_URL=hunter2-pass\n", encoding="utf-8")
    (tmp_path / "outside").write_text("x", encoding="utf-8")
    (project / "outside").symlink_to(tmp_path / "outside")
    (project / "climbing").symlink_to("../outside")
    os.mkfifo(project / "pipe")
    (project / "venv").mkdir()
    (project / "venv/pyvenv.cfg").write_text("", encoding="utf-8")
    archived = archive_project(project, "zip", tmp_path)
    told = {item.path: item.reason for item in archived.left_out}
    assert told[".env"] == SECRET
    assert told["outside"] == told["climbing"] == OUTSIDE
    assert told["pipe"] == SPECIAL
    made = {"db/database.duckdb", "data/final/RESULT.csv", "macro/execution.log", "macro/runs.jsonl", "venv", "scripts/engine/__pycache__"}
    made |= {"db/.work/work.duckdb", "db/.work/work.json"}
    assert made <= {path for path, reason in told.items() if reason == REBUILT}
    with zipfile.ZipFile(archived.path) as archive:
        names = set(archive.namelist())
        assert not any(b"hunter2-pass" in archive.read(name) for name in names)
    assert not {f"shop/{path}" for path in told} & names
    assert {"shop/macro/my.logic.py", "shop/data/final/RESULT.notes.txt", "shop/scripts/checks/NEVER.sql"} <= names
    assert {name for name in names if "/.work/" in name} == {"shop/db/.work/", "shop/sample/db/.work/"}
    ended = pdbt("archive", project, "--to", tmp_path)
    assert ended.code == 0
    assert "  left out  .env: it holds secrets\n" in ended.stdout
    assert "  left out  databases, exports, logs and caches: a run makes them again\n" in ended.stdout


def test_a_run_in_progress_is_waited_for(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "LOCK_SECONDS", 0.2)
    said: list[str] = []
    with run_lock(project / "db/.work/run.lock", 0, said.append), pytest.raises(RunInProgress, match=f"in progress: PID {os.getpid()}"):
        archive_project(project, "zip", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_told(project: Path, tmp_path: Path) -> None:
    (project / "notes").write_text("x", encoding="utf-8")
    (project / "notes").chmod(0)
    with pytest.raises(PdbtError, match=r"notes cannot be read: Permission denied\. No archive was written"):
        archive_project(project, "zip", tmp_path)
    (project / "notes").chmod(0o600)
    (project / "data").chmod(0)
    with pytest.raises(PdbtError, match=r"data cannot be read: Permission denied\. No archive was written"):
        archive_project(project, "zip", tmp_path)
    (project / "data").chmod(0o755)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_being_written_is_told(project: Path, tmp_path: Path, kind: str) -> None:
    path, begun, done = project / "data/source/growing.csv", threading.Event(), threading.Event()
    path.write_bytes(os.urandom(4_000_000))

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            while not done.is_set():
                file.write(b"more\n")
                begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(60)
        with pytest.raises(PdbtError, match=r"growing\.csv changed while it was read\. No archive was written"):
            archive_project(project, kind, tmp_path)
    finally:
        done.set()
        writer.join()
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_a_name_that_a_zip_cannot_hold_is_told(project: Path, tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(project) + b"/caf\xe9")).write_text("x", encoding="utf-8")
    with pytest.raises(PdbtError, match=r"not UTF-8, which a \.zip cannot hold"):
        archive_project(project, "zip", tmp_path)
    restored = restore_archive(archive_project(project, "zst", tmp_path).path, tmp_path / "again")
    assert b"caf\xe9" in [os.fsencode(path.name) for path in restored.iterdir()]


# Archives that somebody else made ---------------------------------------------------------------------------------------

Build = Callable[[tarfile.TarFile], None]


def tar_member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> Build:
    def add(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.size = kind, link, len(content)
        archive.addfile(member, io.BytesIO(content))

    return add


def tar_zst(path: Path, *members: Build) -> Path:
    with path.open("wb") as raw, zstd_writer(raw) as compressed, tarfile.open(fileobj=compressed, mode="w|") as archive:
        for add in (tar_member("shop/pdbt.toml", b"[project]\n"), *members):
            add(archive)
    return path


LINK, DEVICE, FOLDER, HARD = tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE, tarfile.LNKTYPE
BAD_TARS = {
    "a path that climbs": ([tar_member("shop/../../evil", b"x")], "leads out of its folder"),
    "an absolute path": ([tar_member("/evil", b"x")], "leads out of its folder"),
    "an absolute link": ([tar_member("shop/a", kind=LINK, link="/etc/passwd")], "leads out of its folder"),
    "a link that climbs": ([tar_member("shop/a", kind=LINK, link="../../evil")], "leads out of its folder"),
    "a link through a link": (
        [
            tar_member("shop/x/y", kind=FOLDER),
            tar_member("shop/x/y/top", kind=LINK, link="../.."),
            tar_member("shop/a", kind=LINK, link="x/y/top/../evil"),
        ],
        "'shop/a', which leads out of its folder",
    ),
    "a file behind a link": ([tar_member("shop/a", kind=LINK, link="."), tar_member("shop/a/evil", b"x")], "leads out of its folder"),
    "a device": ([tar_member("shop/a", kind=DEVICE)], "neither file, folder nor symbolic link"),
    "a hard link": ([tar_member("shop/a", kind=HARD, link="/etc/passwd")], "neither file, folder nor symbolic link"),
    "two folders": ([tar_member("other/a", b"x")], "more than one folder: shop and other"),
    "one name twice": ([tar_member("shop/pdbt.toml", b"x")], "twice"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder to restore into, and the promise that nothing is left in it or beside it."""
    place = tmp_path / "place"
    place.mkdir()
    yield place
    assert list(place.iterdir()) == []
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("name", sorted(BAD_TARS))
def test_what_would_lead_out_is_refused(name: str, folder: Path, tmp_path: Path) -> None:
    members, sentence = BAD_TARS[name]
    with pytest.raises(ArchiveRefused, match=sentence) as error:
        restore_archive(tar_zst(tmp_path / "bad.tar.zst", *members), folder / "shop")
    assert error.value.exit_code == 2


@pytest.mark.parametrize(("name", "target"), [("shop/../../evil", ""), ("/evil", ""), ("shop/a", "../../evil"), ("shop/a", "/etc/passwd")])
def test_a_zip_is_looked_at_as_closely(name: str, target: str, folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("shop/pdbt.toml", "[project]\n")
        member = zipfile.ZipInfo(name)
        member.create_system, member.external_attr = 3, ((stat.S_IFLNK if target else stat.S_IFREG) | 0o644) << 16
        archive.writestr(member, target or "x")
    with pytest.raises(ArchiveRefused, match="leads out of its folder"):
        restore_archive(tmp_path / "bad.zip", folder / "shop")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", ["cut", "cut at the end", "flipped"])
def test_a_damaged_archive_is_refused(project: Path, folder: Path, tmp_path: Path, kind: str, damage: str) -> None:
    path = archive_project(project, kind, tmp_path).path
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else content[:-2] if damage == "cut at the end" else content)
    with pytest.raises(ArchiveRefused, match=r"is damaged: .*Nothing was restored"):
        restore_archive(path, folder / "shop")


def test_what_is_no_archive_of_a_project_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("text", encoding="utf-8")
    with pytest.raises(ArchiveRefused, match=r"a\.zip is neither a \.tar\.zst nor a \.zip"):
        restore_archive(tmp_path / "a.zip", folder / "shop")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("shop/a", "x")
    with pytest.raises(ArchiveRefused, match=r"holds no project: there is no pdbt\.toml in it"):
        restore_archive(tmp_path / "b.zip", folder / "shop")
    with pytest.raises(PdbtError, match=r"c\.zip does not exist\. Name a file that pdbt archive wrote\."):
        restore_archive(tmp_path / "c.zip", folder / "shop")
    with pytest.raises(PdbtError, match="There is no kind of archive 'rar'"):
        archive_project(tmp_path, "rar")


def test_a_folder_that_does_not_exist_is_told_from_what_is_no_folder(project: Path, tmp_path: Path) -> None:
    path, file = archive_project(project, "zip", tmp_path).path, tmp_path / "file"
    file.touch()
    for place, what in ((tmp_path / "gone", "does not exist"), (file, "is no folder")):
        with pytest.raises(PdbtError) as told:
            archive_project(project, "zip", place)
        assert str(told.value) == f"{place} {what}, so no archive can be written to it. Make it first, or name another one."
        with pytest.raises(PdbtError) as told:
            restore_archive(path, place / "shop")
        assert str(told.value) == f"{place} {what}, so nothing can be restored into it. Make it first, or name another place."


def test_a_folder_with_something_in_it_is_refused_and_an_empty_one_taken(project: Path, tmp_path: Path) -> None:
    path = archive_project(project, "zip", tmp_path).path
    before = described(project)
    with pytest.raises(PdbtError, match=r"shop exists and is not empty"):
        restore_archive(path, project)
    assert described(project) == before
    (tmp_path / "empty").mkdir()
    assert (restore_archive(path, tmp_path / "empty") / "pdbt.toml").is_file()


def test_the_commands_lead_from_one_to_the_next(project: Path, tmp_path: Path, pdbt: Pdbt, run_process: RunProcess) -> None:
    archived = pdbt("archive", cwd=project)
    assert archived.code == 0, archived.stderr
    (path,) = tmp_path.glob("shop-*.tar.zst")
    assert archived.stdout.startswith(f"Wrote ../{path.name} (")
    ended = pdbt("restore", path, "again", cwd=tmp_path)
    assert (ended.code, ended.stdout) == (0, "Restored again\n\nNext:\n  pdbt run again\n")
    ended = pdbt("restore", path, "again", cwd=tmp_path)
    assert (ended.code, ended.stderr.splitlines()[0]) == (2, f"error: {tmp_path}/again exists and is not empty.")
