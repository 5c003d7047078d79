"""The rival: a watchdog handler that starts the task when a file is closed, and remembers nothing."""

from __future__ import annotations

import subprocess
import sys
import threading

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

folder, task = sys.argv[1:3]


class Handler(FileSystemEventHandler):
    """Starts the task."""

    def on_closed(self, event: FileSystemEvent) -> None:
        """Start it, and wait for nothing."""
        subprocess.Popen([sys.executable, task, str(event.src_path)])


observer = Observer()
observer.schedule(Handler(), folder)
observer.start()
print("ready", flush=True)
threading.Event().wait()
