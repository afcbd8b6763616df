import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]
ROOT = Path(__file__).parents[2]

CONFIG = """\
# @package _global_
# Two images that share a label are pulled together, and that is all.
defaults:
  - override /head: tanh
loss: {_target_: mymethods.together.TogetherLoss, weight: 2.0}
"""

MODULE = '''\
"""A method of somebody else."""

from torch import Tensor, nn


class TogetherLoss(nn.Module):
    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        similar = (labels @ labels.T > 0).float()
        return {"together": self.weight * (similar * (1 - relaxed @ relaxed.T / relaxed.shape[1])).mean()}
'''


SWEEP = '# @package _global_\nhydra: {sweeper: {params: {method: mine, seed: "0,1"}}}\n'


def write_project(folder: Path) -> None:
    (folder / "sweeps").mkdir(parents=True)
    (folder / "sweeps" / "seeds.yaml").write_text(SWEEP)
    (folder / "conf" / "method").mkdir(parents=True)
    (folder / "conf" / "method" / "mine.yaml").write_text(CONFIG)
    (folder / "mymethods").mkdir()
    (folder / "mymethods" / "together.py").write_text(MODULE)


def test_a_method_from_outside_is_two_files(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    write_project(tmp_path)

    softhash(tmp_path, "train", *quick, "method=mine", "loss.weight=3", "trainer.log_every_n_steps=1")

    (run,) = tmp_path.glob("runs/default/digits/mine/8/*")
    assert list(json.loads((run / "metrics.json").read_text())["methods"]) == ["mine", "lsh", "random"]
    assert "train/together" in (run / "metrics" / "version_0" / "metrics.csv").read_text()


def test_a_sweep_from_outside_is_one_file(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    write_project(tmp_path)

    softhash(tmp_path, "train", "-m", "+sweeps=seeds", *quick)

    assert len(list(tmp_path.glob("runs/default/digits/mine/8/*/metrics.json"))) == 2


def test_the_wheel_trains_in_a_fresh_environment(tmp_path: Path, quick: list[str]) -> None:
    """The environment sees the installed dependencies but not the checkout."""
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    fresh = tmp_path / "fresh"
    venv.create(fresh, with_pip=False)
    (packages,) = fresh.glob("lib/python*/site-packages")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--no-deps",
            "--quiet",
            "--target",
            str(packages),
            str(wheel),
        ],
        check=True,
    )
    dependencies = next(path for path in map(Path, sys.path) if (path / "torch").is_dir())
    for entry in dependencies.iterdir():
        if not entry.name.lower().startswith(("softhash", "_softhash", "__editable__")) and entry.suffix != ".pth":
            (packages / entry.name).symlink_to(entry) if not (packages / entry.name).exists() else None
    project = tmp_path / "project"
    write_project(project)

    program = "import softhash.cli, sys; sys.argv[0] = 'softhash'; softhash.cli.main(); print(softhash.cli.__file__)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result, listed = (
        subprocess.run(
            [str(fresh / "bin" / "python"), "-c", program, "train", *arguments],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for arguments in ([*quick, "method=mine"], ["--help"])
    )

    assert result.returncode == 0, result.stderr
    assert str(packages) in result.stdout
    assert list(project.glob("runs/default/digits/mine/8/*/index.html"))
    (sweeps,) = [line for line in listed.stdout.splitlines() if line.startswith("+sweeps: ")]
    assert {"methods", "seeds"} <= set(sweeps.removeprefix("+sweeps: ").split(", "))
