import stat
from pathlib import Path

import pytest

pytest.importorskip("submitit")

from softhash.submission import QueueWatcher, keeps_accounts, refuse_unreachable


def write_commands(folder: Path, **scripts: str) -> None:
    """Stand-ins for commands of Slurm, each a line of shell."""
    for name, script in scripts.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IEXEC)


def test_states_are_those_of_the_queue_and_what_is_not_in_it_has_ended() -> None:
    watcher = QueueWatcher()
    for number in ("12_0", "12_1", "12_2", "13"):
        watcher.register_job(number)

    states = watcher.read_info(b"12_0|RUNNING|node1\n12_1|PENDING|\n12_2|FAILED|node1\n99|RUNNING|node2\n")
    watcher._info_dict.update(states)

    assert [states[number]["State"] for number in ("12_0", "12_1", "12_2")] == ["RUNNING", "PENDING", "FAILED"]
    done = {number: watcher.is_done(number, mode="cache") for number in ("12_0", "12_1", "12_2", "13")}
    assert done == {"12_0": False, "12_1": False, "12_2": True, "13": True}


def test_a_machine_without_slurm_is_told_where_to_submit_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    write_commands(tmp_path, squeue="exit 0")

    with pytest.raises(SystemExit, match=r"sbatch, scontrol cannot be found.\n.*login node"):
        refuse_unreachable()


def test_what_slurm_complains_of_is_said_before_anything_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    write_commands(
        tmp_path, sbatch="exit 0", scontrol="exit 0", squeue="echo first >&2; echo no controller >&2; exit 1"
    )

    with pytest.raises(SystemExit, match="Slurm is not reachable, so nothing was submitted: no controller"):
        refuse_unreachable()


@pytest.mark.parametrize(("script", "keeps"), [("exit 0", True), ("echo disabled >&2; exit 1", False)])
def test_accounts_are_kept_where_sacct_answers(
    script: str, keeps: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    write_commands(tmp_path, sacct=script)

    assert keeps_accounts() is keeps
