"""Jobs per hour of a sweep: one after the other with all cores, and several at once that share them."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = Path(sys.executable).parent / "softhash"
GRID = ("-m", "+sweeps=quick", "method=idhn,dhn", "bits=16", "seed=0,1,2", "epochs=5", "cache_dir=cache")
JOBS = 6
ROUNDS = 2


def main() -> None:
    """Print jobs per hour of each way, in rounds that alternate, and their ratio."""
    cores = len(os.sched_getaffinity(0))
    ways = {
        f"basic, one job of {cores} threads": (),
        f"joblib, {cores} jobs of one thread": ("hydra/launcher=joblib", f"hydra.launcher.n_jobs={cores}"),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        sweep(Path(folder), "features", ())  # which all ways find in the cache
        for number in range(ROUNDS):
            for way, launcher in ways.items():
                seconds[way].append(sweep(Path(folder), f"{number}_{len(launcher)}", launcher))
    rates = {way: 3600 * JOBS * ROUNDS / sum(times) for way, times in seconds.items()}
    for way, rate in rates.items():
        print(f"{way:<32} {rate:7.0f} jobs per hour")
    basic, joblib = rates.values()
    print(f"joblib to basic: {joblib / basic:.2f}")


def sweep(folder: Path, name: str, launcher: tuple[str, ...]) -> float:
    """Seconds that the grid takes as an experiment of this name."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    start = time.perf_counter()
    subprocess.run(  # noqa: S603
        [COMMAND, "train", *GRID, *launcher, f"experiment_name={name}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
