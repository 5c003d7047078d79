"""A process that watches a folder as a script of one's own does; it touches a file when it is ready."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pdbt.engine.errors import PdbtError
from pdbt.watch import Watcher


def main() -> int:
    given = json.loads(sys.argv[1])
    try:
        watcher = Watcher(given["folder"], given["pipeline"], base=Path(given["base"]), **given["settings"])
        watcher.start()
        Path(given["ready"]).touch()
        watcher.wait_for_signal()
    except PdbtError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
