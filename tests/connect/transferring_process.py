"""A transfer in a process of its own, to be killed: prints a line when it has loaded its libraries, then begins."""

from __future__ import annotations

import sys

from pdbt.connect import choose, transfer_all


def main() -> None:
    origin, destination, mode = sys.argv[1:]
    chosen = choose(origin, destination, table="origin", target="t", mode=mode, key=["id"] if mode == "upsert" else [])
    print("begins", flush=True)
    transfer_all(chosen)
    print("done", flush=True)


main()
