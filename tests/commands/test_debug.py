import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]


def column(run: Path, name: str) -> list[float]:
    """Values of a column of the log."""
    with (run / "metrics" / "version_0" / "metrics.csv").open(newline="") as lines:
        return [float(line[name]) for line in csv.DictReader(lines) if line.get(name)]


def only_run(folder: Path) -> Path:
    (found,) = folder.glob("runs/debug/**/metrics.json")
    return found.parent


def test_fast_goes_through_all_stages_on_a_few_images_and_the_log_says_how_fast(
    tmp_path: Path, softhash: Softhash
) -> None:
    softhash(tmp_path, "train", "debug=fast", "logger=csv", "bits=8")

    run = only_run(tmp_path)
    counts = json.loads((run / "run.json").read_text())["identity"]["protocol"]["counts"]
    assert counts == {"train": 128, "validation": 128, "query": 64, "database": 256}
    assert (run / "index.html").is_file()
    assert column(run, "speed/images_per_second")[0] > 0
    shares = [column(run, f"speed/{part}")[0] for part in ("data", "forward", "loss")]
    assert all(share > 0 for share in shares)
    assert sum(shares) < 1


def test_overfit_brings_the_loss_down(tmp_path: Path, softhash: Softhash) -> None:
    softhash(tmp_path, "train", "debug=overfit", "logger=csv", "bits=8", "epochs=20", "metric=[map_all]")

    losses = column(only_run(tmp_path), "train/loss")
    assert len(losses) == 40
    assert sum(losses[-2:]) < 0.75 * sum(losses[:2])


def test_profile_writes_where_the_time_went(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    softhash(tmp_path, "train", *quick, "debug=profile")

    assert "run_training_batch" in (only_run(tmp_path) / "fit-profile.txt").read_text()


def test_a_trainer_without_its_gpus_is_refused_in_the_words_of_the_user(tmp_path: Path, softhash: Softhash) -> None:
    import torch

    devices = torch.cuda.device_count() + 2
    result = softhash(tmp_path, "train", "trainer=ddp_gpu", f"trainer.devices={devices}", "logger=csv", code=1)

    assert f"trainer.devices={devices} needs {devices} GPU(s); torch finds {devices - 2}" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.glob("runs/**/run.json"))
