from pathlib import Path

import pytest
import torch

from softhash.runs.record import environment, random_codes


def test_random_codes_depend_on_the_seed_and_have_no_padding_bits() -> None:
    first, same, other = (random_codes(30, 70, bits=12, seed=seed) for seed in (1, 1, 2))

    assert torch.equal(first.database, same.database)
    assert not torch.equal(first.database, other.database)
    assert first.query.shape == (30, 2)
    assert int(first.query[:, 1].max()) < 16


def test_the_environment_names_what_decides_a_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert environment(tmp_path)["commit"] == ""  # no checkout
    monkeypatch.setenv("PATH", str(tmp_path))  # no git

    versions = environment(Path(__file__).parent)

    assert torch.__version__.startswith(versions["torch"])
    assert versions["commit"] == ""
    assert {"python", "machine", "softhash", "numpy", "hydra-core"} <= versions.keys()
