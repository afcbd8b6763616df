"""Kills trainings at random moments, resumes them until they are complete, and compares them with undisturbed ones.

``make attack`` kills 50 times. Runs are small, with ``$TMPDIR`` on another file system. Codes, measures and the weights
that were best must be equal bit for bit, caches byte for byte; no process and no file may be left over. The exit code
is 1 where anything is not so.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from softhash.storage.atomic import LEFTOVER

COMMAND = Path(sys.executable).parent / "softhash"
SMALL = (
    *("logger=csv", "epochs=3", "bits=8", "top_k=50", "head.dropout=0.2"),
    *("metric=[map,map_all,ndcg_linear]", "metric.ndcg_linear.top_k=50"),
)
DIGITS = ("data.num_train=256", "data.num_validation=64", "data.num_query=40", "data.num_database=150", "augment=shift")
PHOTOS = (
    *("data=table", "data.root=../photos", "data.num_classes=3", "data.num_validation=60", "image_size=32"),
    *("backbone=small_cnn", "backbone.frozen=true"),
)
TWO = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
METHODS = ("dhn", "dpsh", "idhn")
KINDS: dict[str, list[tuple[str, ...]]] = {  # jobs, each with its overrides; more than one are a multirun
    "single": [("method=hashnet", *DIGITS)],
    "two processes": [("method=dpsh", *DIGITS, *TWO)],
    "multirun": [
        (f"method={method}", f"bits={bits}", f"seed={seed}")
        for method in METHODS
        for bits in (8, 12)
        for seed in (0, 1)
    ],
    "caches": [("method=dpsh", *PHOTOS)],
}
KINDS["parallel"] = KINDS["multirun"]
GRID = ("-m", f"method={','.join(METHODS)}", "bits=8,12", "seed=0,1", *DIGITS)
SWEEPS = {"multirun": GRID, "parallel": (*GRID, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CODES = {  # the exit codes that tell the truth, once softhash listens
    ("SIGKILL", "first"): {-9},
    ("SIGTERM", "first"): {143},
    ("SIGINT", "first"): {130},
    ("SIGINT", "all"): {130},
    ("SIGKILL", "worker"): {1, -9, 0},  # 0 where its work was done
    ("SIGTERM", "worker"): {143, -9},  # -9 before the worker listens
}
MOMENTS: dict[str, tuple[str, float]] = {  # a file that is new, and seconds until the kill after it at most
    "start": ("", 6.0),
    "beginning": ("runs/**/.hydra/overrides.yaml", 1.5),
    "cache": ("cache/*/*/rows.bin", 0.3),
    "training": ("runs/**/run.json", 1.0),
    "epoch": ("runs/**/last.ckpt", 0.6),
    "checkpoint": ("runs/**/.*.ckpt.*", 0.002),
    "measures": ("runs/**/codes/[!lr.]*.npz", 0.2),
    "page": ("runs/**/metrics.json", 0.6),
}
PATIENCE = 600.0  # seconds for a run, on a busy machine


@dataclass
class Kill:
    """What became of one process."""

    kind: str
    moment: str
    signal: str
    victim: str
    seconds: float
    code: int
    orphans: int


@dataclass
class Story:
    """One run, or sweep, from its first start to its end."""

    kind: str
    folder: Path
    kills: list[Kill] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def main() -> None:
    """Kill, resume, compare, and print a line per kill and a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="how many processes to kill")
    parser.add_argument("--seed", type=int, default=0, help="of delays, signals and victims")
    parser.add_argument("--kinds", nargs="+", choices=[*KINDS], default=[*KINDS], help="what to kill")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--tmpdir", type=Path, default=Path("/dev/shm"), help="a folder on another file system")  # noqa: S108
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(dir=options.tmpdir) as aside:
        stories = attack(Path(folder), Path(aside), options)
        left = [str(path.relative_to(aside)) for path in Path(aside).rglob("*") if path.is_file()]
    faults = [fault for story in stories for fault in story.faults]
    summarize(stories, left)
    print("\n".join(faults) or "All equal to the undisturbed runs, bit for bit.")
    sys.exit(1 if faults else 0)


def attack(folder: Path, aside: Path, options: argparse.Namespace) -> list[Story]:
    """Run every kind undisturbed, then kill until as many processes as wanted have been killed."""
    count, seed, jobs, kinds = options.kills, options.seed, options.jobs, options.kinds
    write_photos(folder / "photos")
    environment = {**os.environ, "TMPDIR": str(aside), "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    environment.pop("HYDRA_FULL_ERROR", None)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}; undisturbed runs first", flush=True)
    for kind in kinds:
        undisturbed = Story(kind, folder / kind.replace(" ", "_"))
        undisturbed.folder.mkdir()
        complete(undisturbed, environment, lambda _: None)
        if undisturbed.faults:
            sys.exit("\n".join(undisturbed.faults))
    kills, lock = count, threading.Lock()

    def tell(number: int) -> Story:
        nonlocal kills
        story = Story(kinds[number % len(kinds)], folder / f"story_{number}")
        story.folder.mkdir()
        chance = random.Random(f"{seed} {number}")  # noqa: S311 - to repeat it

        def disturb(process: "subprocess.Popen[bytes]") -> None:
            nonlocal kills
            if (
                kills
                and len(story.kills) < (5 if story.kind in SWEEPS else 4)
                and (kill := kill_once(story, process, turn(number // len(kinds) * 4 + number, story), chance))
                is not None
            ):
                with lock:
                    kills = max(0, kills - 1)
                    story.kills.append(kill)
                    print(f"{count - kills:3d}  {line(number, kill)}", flush=True)

        complete(story, environment, disturb)
        story.faults += [f"run {number} ({story.kind}): {fault}" for fault in compare(story, folder)]
        shutil.rmtree(story.folder)
        return story

    stories: list[Story] = []
    with ThreadPoolExecutor(jobs) as pool:
        for number in range(0, 20 * count, jobs):
            if kills:
                stories += pool.map(tell, range(number, number + jobs))
    return stories


def complete(story: Story, environment: dict[str, str], disturb: Callable[["subprocess.Popen[bytes]"], None]) -> None:
    """Start the jobs of a story, and resume them until all are complete."""
    for arguments in commands(story):
        before_start = ended(story.folder)
        with (story.folder / "output.txt").open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                [COMMAND, "train", *arguments],
                cwd=story.folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        before = len(story.kills)
        disturb(process)
        code = process.wait(PATIENCE)
        again = [path for path, written in before_start.items() if time_of(path) != written]
        story.faults += [f"{path.parent} was complete and was run again" for path in again]
        if code and len(story.kills) == before:
            text = (story.folder / "output.txt").read_text(errors="replace")
            story.faults.append(f"{' '.join(arguments)} ended with {code}:\n{text[-2000:]}")
            return


def ended(folder: Path) -> dict[Path, int]:
    """When the pages of the complete runs of a folder were written."""
    return {path: time_of(path) for path in folder.glob("runs/**/index.html") if is_complete(path.parent)}


def commands(story: Story) -> Iterator[tuple[str, ...]]:
    """What to start next, as long as a job is not complete: a sweep as before, a run by its folder."""
    common = (*SMALL, "cache_dir=cache")
    for job in KINDS[story.kind]:
        while (run := run_of(story.folder, job)) is None or not is_complete(run):
            started = run is not None and (run / ".hydra" / "overrides.yaml").is_file()
            if sweep := SWEEPS.get(story.kind):
                yield (*common, *sweep)
            else:
                yield (f"run={run.relative_to(story.folder)}",) if run is not None and started else (*job, *common)


def is_complete(run: Path) -> bool:
    """Measured, and with the page, which comes last."""
    return (run / "index.html").is_file() and (run / "metrics.json").is_file()


def run_of(folder: Path, job: tuple[str, ...]) -> Path | None:
    """Folder of a job, of which a kill in its first moments may have left several: the last one counts."""
    words = {"bits": "8", "seed": "0", **dict(override.split("=", 1) for override in job)}
    return max(folder.glob(f"runs/*/*/{words['method']}/{words['bits']}/{words['seed']}-*"), default=None)


def turn(number: int, story: Story) -> str:
    """After what the next kill of a story comes, so that all have their turn."""
    names = [name for name in MOMENTS if name != "cache" or story.kind == "caches"]
    return names[(number + len(story.kills)) % len(names)]


def kill_once(story: Story, process: "subprocess.Popen[bytes]", moment: str, chance: random.Random) -> Kill | None:
    """Wait for a random time after a moment, and kill; None where the process ends before."""
    number = chance.choice(SIGNALS)
    pattern, delay = MOMENTS[moment]
    start = time.time()
    known = {path: path.stat().st_mtime_ns for path in story.folder.glob(pattern)} if pattern else {}
    skip = chance.randrange(3) if moment in {"epoch", "checkpoint"} else 0
    while pattern:
        if process.poll() is not None:
            return None
        new = {path: time_of(path) for path in story.folder.glob(pattern)}
        if any(new[path] > known.get(path, 0) for path in new):
            known |= new
            if skip == 0:
                break
            skip -= 1
        time.sleep(0.001)
    time.sleep(chance.uniform(0, delay))
    if process.poll() is not None:
        return None
    victim, pid = "first", process.pid
    workers = children(process.pid) if story.kind == "two processes" else []
    if workers and number == signal.SIGINT:
        victim, pid = "all", -process.pid  # as a terminal does
    elif workers and chance.random() < 0.5:
        victim, pid = "worker", workers[0]
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return None
    code = process.wait(PATIENCE)
    return Kill(story.kind, moment, number.name, victim, time.time() - start, code, orphans(process.pid))


def time_of(path: Path) -> int:
    """When a file was written; 0 where it is gone meanwhile."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(child) for child in found]


def orphans(session: int, patience: float = 30) -> int:
    """How many processes of a session are alive after some seconds; they are ended then."""
    end = time.monotonic() + patience
    while (alive := members(session)) and time.monotonic() < end:
        time.sleep(0.1)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
    return len(alive)


def members(session: int) -> list[int]:
    """Processes of a session that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, own = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if own == str(session) and state != "Z":
            found.append(int(stat.parent.name))
    return found


def compare(story: Story, folder: Path) -> Iterator[str]:
    """What is not as it should be once a story is complete."""
    for kill in story.kills:
        if kill.orphans:
            yield f"{kill.orphans} processes left after {kill.signal} to the {kill.victim} ({kill.moment})"
        if kill.moment != "start" and kill.code not in CODES[kill.signal, kill.victim]:
            yield f"exit code {kill.code} after {kill.signal} to the {kill.victim} ({kill.moment})"
    undisturbed = folder / story.kind.replace(" ", "_")
    for job in KINDS[story.kind]:
        expected, found = run_of(undisturbed, job), run_of(story.folder, job)
        if expected is None or found is None:
            yield f"{' '.join(job)} has no run"
        else:
            yield from (f"{found.name}: {name} differs" for name in differences(expected, found))
            hidden = (path for path in found.rglob(".*") if LEFTOVER.fullmatch(path.name))
            yield from (f"{path.relative_to(found)} is left" for path in hidden)
    for path in (undisturbed / "cache").glob("**/*.bin"):
        other = story.folder / path.relative_to(undisturbed)
        if not other.is_file() or other.read_bytes() != path.read_bytes():
            yield f"{path.relative_to(undisturbed)} differs"


def differences(expected: Path, found: Path) -> Iterator[str]:
    """Results of two runs that are not equal bit for bit."""
    first, second = (json.loads((run / "metrics.json").read_text())["methods"] for run in (expected, found))
    if first != second:
        yield "metrics.json"
    for name in [*(f"codes/{path.name}" for path in (expected / "codes").glob("*.npz")), "per_query.npz"]:
        with np.load(expected / name) as one, np.load(found / name) as other:
            if one.files != other.files or any(one[key].tobytes() != other[key].tobytes() for key in one.files):
                yield name
    for name in ("checkpoints/best.ckpt", "checkpoints/last.ckpt"):
        mine, theirs = (torch.load(run / name, weights_only=True)["state_dict"] for run in (expected, found))
        if any(not torch.equal(mine[key], theirs[key]) for key in mine):
            yield name


def write_photos(folder: Path) -> None:
    """A table of 200 photos with three labels."""
    folder.mkdir()
    rng, lines = np.random.default_rng(0), ["path,split,labels"]
    for row in range(200):
        Image.fromarray(rng.integers(256, size=(90, 120, 3), dtype=np.uint8)).save(folder / f"{row}.jpg")
        labels = ";".join(name for name, has in zip("abc", rng.integers(2, size=3), strict=True) if has) or "a"
        lines.append(f"{row}.jpg,{'query' if row % 5 == 0 else 'train database'},{labels}")
    (folder / "photos.csv").write_text("\n".join(lines) + "\n")


def line(number: int, kill: Kill) -> str:
    """One kill for people."""
    orphaned = f", {kill.orphans} processes left" if kill.orphans else ""
    return (
        f"run {number:<3d} {kill.kind:<14} {kill.moment:<11} {kill.signal:<8} to {kill.victim:<7}"
        f"after {kill.seconds:5.1f} s: exit code {kill.code}{orphaned}"
    )


def summarize(stories: list[Story], left: list[str]) -> None:
    """Print kills by kind and moment, by signal, and what is left in ``$TMPDIR``."""
    kills = [kill for story in stories for kill in story.kills]
    print(f"\n| killed {len(kills)} times | {' | '.join(MOMENTS)} | runs | equal |")
    print(f"| --- | {'--- | ' * (len(MOMENTS) + 2)}")
    for kind in KINDS:
        own = [story for story in stories if story.kind == kind]
        counts = Counter(kill.moment for story in own for kill in story.kills)
        cells = " | ".join(str(counts[moment]) for moment in MOMENTS)
        print(f"| {kind} | {cells} | {len(own)} | {sum(not story.faults for story in own)} |")
    by_signal = Counter(f"{kill.signal} to the {kill.victim}" for kill in kills)
    print(f"\n{', '.join(f'{name} {count}' for name, count in sorted(by_signal.items()))}")
    codes = Counter(f"{kill.signal} {kill.code}" for kill in kills)
    print(f"exit codes: {', '.join(f'{name} ({count})' for name, count in sorted(codes.items()))}")
    print(f"files left in $TMPDIR: {', '.join(left) or 'none'}")


if __name__ == "__main__":
    main()
