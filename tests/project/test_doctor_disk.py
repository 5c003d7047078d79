"""`pdbt doctor` knows the room on a disk, and the file system that a project lies on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdbt.project.doctor.disk import Mount, file_system_check, find_mount, read_mounts, space_check
from tests.project.conftest import Add
from tests.project.diagnosis import check


@pytest.mark.parametrize(
    ("free", "files", "needed", "state", "text"),
    [
        (50_000_000_000, 10**6, 1_000_000, "ok", "50.0 GB are free at /d; the databases take 1.0 MB."),
        (900_000_000, 10**6, 1_000_000, "warning", "900.0 MB are free at /d; the databases take 1.0 MB."),
        (90_000_000, 10**6, 0, "error", "90.0 MB are free at /d; the databases take 0 bytes."),
        (5_000_000_000, 10**6, 6_000_000_000, "error", "5.0 GB are free at /d; the databases take 6.0 GB."),
        (50_000_000_000, 3, 1, "error", "Only 3 more files can be made at /d: it has no free inodes."),
    ],
)
def test_the_room_on_a_disk(free: int, files: int, needed: int, state: str, text: str) -> None:
    found = space_check(free, files, needed, Path("/d"))
    assert (found.state, found.text) == (state, text)


@pytest.fixture
def tiny_disk(add: Add) -> Iterator[Path]:
    """A disk of two megabytes under db/, where this user may mount one."""
    orders = add("orders")
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "pdbt-test", str(orders / "db")]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a file system, and not everywhere")
    yield orders
    subprocess.run(["umount", str(orders / "db")], check=True, timeout=30)


def test_a_disk_that_is_full_and_in_memory(tiny_disk: Path) -> None:
    found = check(tiny_disk, "disk")
    assert found.state == "error"
    assert found.text == f"2.1 MB are free at {tiny_disk / 'db'}; the databases take 0 bytes."
    found = check(tiny_disk, "file system")
    assert found.state == "warning"
    assert found.text.startswith(f"{tiny_disk / 'db'} is on tmpfs, mounted at {tiny_disk / 'db'} from pdbt-test, in memory")


# Lines of machines that have these mounts, as the kernel writes them.
MOUNTINFO = r"""
22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro
31 22 0:27 / /run rw,nosuid,nodev shared:5 - tmpfs tmpfs rw,size=3274328k,mode=755
97 22 0:46 / /mnt/team rw,relatime shared:54 - nfs4 files.example.com:/export/team rw,vers=4.2,rsize=1048576,hard,proto=tcp
98 22 0:47 / /mnt/old rw,relatime shared:55 - nfs files:/export rw,vers=3
99 22 0:52 / /mnt/win\040share rw,relatime shared:60 - cifs //server/share rw,vers=3.1.1,cache=strict,username=ann
101 22 0:58 / /home/ann/remote rw,nosuid,nodev,relatime shared:64 - fuse.sshfs ann@host:/data rw,user_id=1000,group_id=1000
103 22 8:17 / /mnt/archive ro,relatime shared:70 - xfs /dev/sdb1 ro,attr2,inode64
104 97 0:60 / /mnt/team/fast rw,relatime shared:71 - ext4 /dev/sdc1 rw
105 22 0:61 / /mnt/over rw,relatime shared:72 - ext4 /dev/sdd1 rw
106 105 0:62 / /mnt/over rw,relatime shared:73 - fuse.s3fs s3fs rw,user_id=0
""".lstrip()


@pytest.mark.parametrize(
    ("folder", "state", "text"),
    [
        ("/home/ann/shop/db", "ok", "is on ext4, mounted at / from /dev/nvme0n1p2."),
        ("/mnt/team/shop/db", "warning", "is on nfs4, mounted at /mnt/team from files.example.com:/export/team, a network file system."),
        ("/mnt/old", "warning", "is on nfs, mounted at /mnt/old from files:/export, a network file system."),
        ("/mnt/win share/db", "warning", "is on cifs, mounted at /mnt/win share from //server/share, a network file system."),
        ("/home/ann/remote/db", "warning", "is on fuse.sshfs, mounted at /home/ann/remote from ann@host:/data, a network file system."),
        ("/mnt/over/db", "warning", "is on fuse.s3fs, mounted at /mnt/over from s3fs, a network file system."),
        ("/mnt/archive/db", "error", "is on xfs, mounted at /mnt/archive from /dev/sdb1, read-only."),
        ("/mnt/team/fast/db", "ok", "is on ext4, mounted at /mnt/team/fast from /dev/sdc1."),
        ("/mnt/teamwork/db", "ok", "is on ext4, mounted at / from /dev/nvme0n1p2."),
        ("/run/x", "warning", "is on tmpfs, mounted at /run from tmpfs, in memory: it is gone when the machine restarts."),
    ],
)
def test_the_file_system_below_a_folder(folder: str, state: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "mountinfo"
    file.write_text(MOUNTINFO, encoding="utf-8")
    mounts = read_mounts(file)
    assert len(mounts) == 10
    mount = find_mount(Path(folder), mounts)
    assert mount is not None
    found = file_system_check(mount, Path(folder))
    assert (found.state, found.text) == (state, f"{folder} {text}")
    assert ("rename" in found.hint) == ("network" in text)


def test_without_mountinfo_the_system_is_asked_otherwise(tmp_path: Path) -> None:
    assert find_mount(Path("/"), read_mounts(tmp_path / "none")) is not None
    assert find_mount(Path("/x"), [Mount(Path("/y"), "ext4", "d", True)]) is None
