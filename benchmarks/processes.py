"""One training process against two that share its batches, on two cores.

``make bench`` runs it. Both do the same steps: batches of B images in one process, or of B / 2 in each of two (gloo).
The time is that of the training loop, from the log of speed; rounds alternate, and the median of their ratios counts.
"""

import csv
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_ROUNDS = 3
_COMMAND = Path(sys.executable).parent / "softhash"
_COMMON = (
    *("logger=csv", "bits=32", "epochs=3", "metric=[map_all]", "baselines=null"),
    *("data.num_train=2048", "data.num_validation=64", "data.num_query=32", "data.num_database=160"),
)
_ONE = ("batch_size=64",)
_TWO = ("batch_size=32", "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")


def main() -> None:
    """Measure and print a table."""
    rounds = [(_rate(*_ONE), _rate(*_TWO)) for _ in range(_ROUNDS)]
    one, two = (statistics.median(rates) for rates in zip(*rounds, strict=True))
    ratio = statistics.median(second / first for first, second in rounds)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end\n")
    print("| what | one process | two processes | ratio |\n| --- | --- | --- | --- |")
    print(f"| training images per second | {one:.0f} | {two:.0f} | {ratio:.2f} |")


def _rate(*overrides: str) -> float:
    """Images per second after the first epoch, in which libraries warm up."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [str(_COMMAND), "train", *_COMMON, *overrides, "hydra.run.dir=run"]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)  # noqa: S603 - ourselves
        with Path(folder, "run/metrics/version_0/metrics.csv").open(newline="") as lines:
            rates = [line.get("speed/images_per_second") for line in csv.DictReader(lines)]
    return statistics.median([float(rate) for rate in rates if rate][1:])


if __name__ == "__main__":
    main()
