"""A watched folder: how soon a task begins, against a bare watchdog handler, and what many files cost.

Not commands that end, so it is measured here and not by `contest.hold`; what comes out is the same.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from benchmarks.contest import MEGABYTE, Bar, Disagreement, Outcome
from benchmarks.rivals import Interpreter
from benchmarks.workplaces import HERE

SINGLE_FILES = 200
BURST_FILES, TASK_SECONDS = 200, 0.2
MANY_FILES, KILLED_FILES = 100_000, 10_000
PAUSE_SECONDS = 0.05
POLL_SECONDS = 0.005
TASK_LIMIT = 30.0
BURST_LIMIT = 600.0

# Says when its process had begun, under the name of the folder and the file.
TELLING = """
import time; began = time.time()
import os, sys
path = sys.argv[-1]
name = f"{os.path.basename(os.path.dirname(path))}-{os.path.basename(path)}"
with open(os.path.join(os.environ["TOLD"], name + ".part"), "w") as file:
    file.write(repr(began))
os.rename(file.name, file.name.removesuffix(".part"))
"""
SLEEPING = f"import os, time\ntime.sleep({TASK_SECONDS})\nopen(os.environ['TOLD'] + '/all', 'a').write('.')\n"
WATCHER = """
import os, sys
from pathlib import Path
from pdbt.watch import Watcher
folder, *task = sys.argv[1:]
watcher = Watcher(folder, {"csv": [{"run": task, "logs": "logs"}]}, base=Path.cwd())
watcher.start()
print("ready", flush=True)
watcher.wait_for_signal()
"""
APPENDING = ("/bin/sh", "-c", 'echo "$1" >> "$TOLD/all"', "append")
NOTHING = ("true",)


@dataclass(frozen=True)
class Ground:
    """Where it is measured: the interpreter that has pdbt and watchdog, an empty folder, and the environment of all processes."""

    interpreter: Interpreter
    folder: Path
    environment: Mapping[str, str]

    def script(self, name: str, text: str) -> Path:
        """Write a program."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    @property
    def told(self) -> Path:
        """The folder in which tasks say something."""
        path = self.folder / "told"
        path.mkdir(exist_ok=True)
        return path

    def clear(self) -> None:
        """Take away what an earlier round left."""
        for name in ("told", "logs", ".pdbt", "ours", "bare"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name in ("told", "ours", "bare"):
            (self.folder / name).mkdir()
        os.sync()

    @contextlib.contextmanager
    def watching(self, command: tuple[object, ...]) -> Iterator[subprocess.Popen[str]]:
        """Run a watcher that has said that it is ready; it is ended afterwards, with its tasks."""
        words = [str(self.interpreter.python), *map(str, command)]
        variables = {**self.environment, "TOLD": str(self.told)}
        process = subprocess.Popen(words, cwd=self.folder, env=variables, stdout=subprocess.PIPE, text=True, start_new_session=True)
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise Disagreement(f"{words[1]} did not begin to watch.")
            yield process
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(TASK_LIMIT)
            if process.stdout is not None:
                process.stdout.close()


def hold_watching(
    interpreter: Interpreter, folder: Path, runs: int, environment: Mapping[str, str], say: Callable[[str], None]
) -> list[Outcome]:
    """Measure all of it `runs` times.

    Raises:
        Disagreement: a task did not run, or ran twice.
    """
    ground = Ground(interpreter, folder, environment)
    return [*_latency(ground, runs, say), _burst(ground, runs, say), *_many(ground, runs, say)]


def _latency(ground: Ground, runs: int, say: Callable[[str], None]) -> list[Outcome]:
    """Drop single files in turn into the folder of each side; measure from the close to the beginning of the task."""
    task, watcher = ground.script("telling.py", TELLING), ground.script("watcher.py", WATCHER)
    ours: list[float] = []
    allowed: list[float] = []
    for number in range(1, runs + 1):
        ground.clear()
        sides: dict[str, list[float]] = {"ours": [], "bare": []}
        commands = {"ours": (watcher, "ours", task), "bare": (HERE / "bare" / "with_watchdog.py", "bare", task)}
        with ground.watching(commands["ours"]), ground.watching(commands["bare"]):
            for file in range(SINGLE_FILES):
                for side in sorted(sides, reverse=file % 2 == 1):
                    sides[side].append(_one_file(ground, side, f"{file}.csv"))
        p95 = {side: quantiles(figures, n=20)[-1] for side, figures in sides.items()}
        ours.append(p95["ours"])
        allowed.append(1.3 * p95["bare"] + 0.02)
        shown = ", ".join(f"{side} p50 {median(figures) * 1e3:.1f} ms p95 {p95[side] * 1e3:.1f} ms" for side, figures in sides.items())
        say(f"watching {number}/{runs}  close to task: {shown}")
    title = f"close of a file to its task, p95 of {SINGLE_FILES} / (1.3 x bare watchdog handler + 20 ms)"
    return [Outcome(Bar(title, "pdbt", 1.0, "allowed"), tuple(ours), tuple(allowed))]


def _one_file(ground: Ground, side: str, name: str) -> float:
    with (ground.folder / side / name).open("w", encoding="utf-8") as file:
        file.write("x" * 1000)
    closed = time.time()
    told = ground.told / f"{side}-{name}"
    _wait(told.exists, TASK_LIMIT, f"the task of {side}/{name} did not begin")
    time.sleep(PAUSE_SECONDS)
    return float(told.read_text(encoding="utf-8")) - closed


def _burst(ground: Ground, runs: int, say: Callable[[str], None]) -> Outcome:
    """Drop many files at once whose task sleeps; measure until the last one has ended."""
    task, watcher = ground.script("sleeping.py", SLEEPING), ground.script("watcher.py", WATCHER)
    ideal = BURST_FILES * TASK_SECONDS / len(os.sched_getaffinity(0))
    seconds = []
    for number in range(1, runs + 1):
        ground.clear()
        with ground.watching((watcher, "ours", task)):
            started = time.perf_counter()
            _fill(ground.folder / "ours", BURST_FILES)
            _wait(lambda: _size(ground.told / "all") >= BURST_FILES, BURST_LIMIT, "the burst did not end")
            seconds.append(time.perf_counter() - started)
        say(f"watching {number}/{runs}  burst: {seconds[-1]:.2f} s, ideal {ideal:.2f} s")
    title = f"{BURST_FILES} files with a task of {TASK_SECONDS} s / ideal on all cores"
    return Outcome(Bar(title, "pdbt", 1.15, "ideal"), tuple(seconds), (ideal,) * runs)


def _many(ground: Ground, runs: int, say: Callable[[str], None]) -> list[Outcome]:
    """Start over a full folder, and kill a watcher amid many files; measure the time to ready, and the memory."""
    watcher = ground.script("watcher.py", WATCHER)
    ready: list[float] = []
    peaks: list[float] = []
    for number in range(1, runs + 1):
        ground.clear()
        _fill(ground.folder / "ours", MANY_FILES)
        started = time.perf_counter()
        with ground.watching((watcher, "ours", *NOTHING)) as process:
            ready.append(time.perf_counter() - started)
            process.kill()
        ground.clear()
        peaks.append(_killed(ground, watcher))
        say(f"watching {number}/{runs}  {MANY_FILES:,} files: ready in {ready[-1]:.2f} s; killed: {peaks[-1] / MEGABYTE:.0f} MB")
    return [
        Outcome(Bar(f"start over {MANY_FILES:,} files to ready", "pdbt", 10.0), tuple(ready), ()),
        Outcome(
            Bar(f"memory of a watcher killed amid {KILLED_FILES:,} files", "pdbt", 200.0 * MEGABYTE, quantity="peak"), tuple(peaks), ()
        ),
    ]


def _killed(ground: Ground, watcher: Path) -> float:
    """Kill a watcher amid a burst, start another, and require that each file was done once; return the larger one's memory."""
    import psutil

    all_told = ground.told / "all"
    with ground.watching((watcher, "ours", *APPENDING)) as process:
        _fill(ground.folder / "ours", KILLED_FILES)
        _wait(lambda: _lines(all_told) >= KILLED_FILES // 2, BURST_LIMIT, "half of the files were not done")
        peak = psutil.Process(process.pid).memory_info().rss
        process.kill()
    with ground.watching((watcher, "ours", *APPENDING)) as process:
        _wait(lambda: _lines(all_told) >= KILLED_FILES, BURST_LIMIT, "the files were not done")
        peak = max(peak, psutil.Process(process.pid).memory_info().rss)
        time.sleep(1.0)  # what ran twice would have by now
    done = all_told.read_text(encoding="utf-8").split()
    if len(done) != KILLED_FILES or len(set(done)) != KILLED_FILES:
        raise Disagreement(f"{len(done)} tasks ran for {len(set(done))} of {KILLED_FILES} files.")
    return float(peak)


def _fill(folder: Path, count: int) -> None:
    for number in range(count):
        (folder / f"{number}.csv").write_text("x", encoding="utf-8")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _wait(reached: Callable[[], bool], seconds: float, fault: str) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise Disagreement(f"{fault[0].upper()}{fault[1:]} in {seconds:.0f} s.")
        time.sleep(POLL_SECONDS)
