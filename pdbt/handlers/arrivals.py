"""Files that arrive in a folder are given to a producer: pdbt.watch sees them, and remembers which were done.

For pdbt.watch a file's task is a small program, which hands the path over to this process and ends when all that came of the file is
stored. A file whose task failed, or whose pipeline was killed, is thus taken up again.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import secrets
import sys
import threading
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.errors import PdbtError

if TYPE_CHECKING:
    from .executor import PipelineExecutor

_TAG = "arrivals"
_RETRIES, _RETRY_SECONDS = 5, 1
# What stands between the watcher and this process; the key keeps others of this machine from handing files over.
_PROGRAM = """\
import os, sys
from multiprocessing.connection import Client
with Client(os.environ["{address}"], authkey=bytes.fromhex(os.environ["{key}"])) as channel:
    channel.send_bytes(os.fsencode(sys.argv[-1]))
    said = channel.recv_bytes().decode()
sys.exit(said or 0)
"""


class Arrivals:
    """Gives the files of a folder to a node."""

    def __init__(self, pipeline: PipelineExecutor, node: str, folder: Path, ending: str, state: Path | None) -> None:
        """Prepare; nothing is watched.

        Raises:
            MissingLibrary: pdbt[watch] is not installed.
        """
        self._pipeline, self._node, self._folder = pipeline, node, folder
        self._state = state or folder.parent / ".pdbt" / f"arrivals-{node}"
        key = secrets.token_bytes(16)
        self._listener = Listener(authkey=key)
        names = {"address": f"PDBT_ARRIVALS_{os.getpid()}_{id(self)}", "key": f"PDBT_ARRIVALS_KEY_{os.getpid()}_{id(self)}"}
        # By the environment, which only this user can read; a command line everybody can.
        self._environment = {names["address"]: str(self._listener.address), names["key"]: key.hex()}
        self._state.mkdir(parents=True, exist_ok=True)
        program = self._state / "hand_over.py"
        program.write_text(_PROGRAM.format(**names), encoding="utf-8")
        task = {
            "run": [sys.executable, str(program)],
            "logs": str(self._state / "logs"),
            "retries": _RETRIES,
            "retry_delay": _RETRY_SECONDS,
        }
        tags = {_TAG: {"match": "glob", "pattern": f"*{glob.escape(ending)}", "tasks": [task]}}
        from ..watch import Watcher

        self._watcher = Watcher(folder, tags, state=str(self._state / "ledger"))
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to watch; returns when the folder is observed."""
        os.environ.update(self._environment)
        threading.Thread(target=self._listen, name=f"pdbt arrivals {self._node}", daemon=True).start()
        self._watcher.start()

    def stop(self) -> None:
        """Stop watching; files that are not done are taken up at the next start."""
        self._watcher.stop()
        self._stopped.set()
        self._listener.close()
        for name in self._environment:
            os.environ.pop(name, None)

    def _listen(self) -> None:
        while not self._stopped.is_set():
            # What is wrong with one that connects, such as that it has not the key, is no reason to hear no other.
            with contextlib.suppress(OSError, EOFError, AuthenticationError):
                channel = self._listener.accept()
                threading.Thread(target=self._take, args=(channel,), daemon=True).start()

    def _take(self, channel: Connection) -> None:
        with channel:
            try:
                path = os.fsdecode(channel.recv_bytes())
                channel.send_bytes(self._given(path).encode())
            except (OSError, EOFError):  # the watcher was stopped
                return

    def _given(self, path: str) -> str:
        """Give a file to the node, and wait until it is done; return what went wrong."""
        try:
            self._pipeline.give(self._node, [{"path": path}], batch_id=batch_id_of(Path(path))).result()
        except (PdbtError, OSError) as error:
            return str(error)
        return ""


def batch_id_of(path: Path) -> str:
    """Return the id of a file's batch: the same for the same file as long as it is not written to."""
    found = path.stat()
    told = hashlib.sha256(f"{path}\0{found.st_size}\0{found.st_mtime_ns}".encode("utf-8", "surrogateescape")).hexdigest()
    return f"file-{told[:32]}"
