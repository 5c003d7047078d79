"""A transfer in a process of its own, to be killed: prints how many rows it has read, and a line when it has read all."""

from __future__ import annotations

import sys

from pdbt.connect import choose
from pdbt.connect.execution import carry_out


def main() -> None:
    origin, destination, mode = sys.argv[1:]
    (chosen,) = choose(origin, destination, table="origin", target="t", mode=mode, key=["id"] if mode == "upsert" else [])
    carry_out(chosen, lambda rows, _: print(rows, flush=True))
    print("done", flush=True)


if __name__ == "__main__":
    main()
