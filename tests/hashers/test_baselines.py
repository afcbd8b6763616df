from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from softhash.backbones.small_cnn import SmallCNN
from softhash.data.digits import DigitsDataModule
from softhash.hashers.baselines import baseline_codes
from softhash.hashers.shallow import ShallowEncoder
from softhash.shallow.lsh import LSH
from softhash.types import Codes


class CountingLSH(LSH):
    fits: ClassVar[list[int]] = []

    def fit(self, features: NDArray[np.floating], labels: NDArray[np.integer] | None = None) -> "LSH":
        self.fits.append(len(features))
        return super().fit(features, labels)


def digits(seed: int = 0) -> DigitsDataModule:
    data = DigitsDataModule(
        num_train=40, num_validation=10, num_query=10, num_database=30, augment=nn.Identity(), num_classes=10,
        batch_size=16, num_workers=0, seed=seed,
    )  # fmt: skip
    data.setup()
    return data


def codes(folder: Path, bits: int = 8, data_seed: int = 0, weights_seed: int = 0, random_state: int = 0) -> Codes:
    torch.manual_seed(weights_seed)
    encoder = ShallowEncoder(SmallCNN(1, 4), CountingLSH(bits, random_state=random_state))
    return baseline_codes(encoder, digits(data_seed), str(folder))


@pytest.fixture(autouse=True)
def _no_fits() -> None:
    CountingLSH.fits.clear()


def test_equal_features_are_fitted_once(tmp_path: Path) -> None:
    first, second = codes(tmp_path), codes(tmp_path)

    assert CountingLSH.fits == [40]
    assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("change", [{"bits": 9}, {"data_seed": 1}, {"weights_seed": 1}, {"random_state": 1}])
def test_other_features_or_another_estimator_are_fitted_anew(change: dict[str, int], tmp_path: Path) -> None:
    codes(tmp_path)

    codes(tmp_path, **change)

    assert CountingLSH.fits == [40, 40]


def test_codes_are_those_of_the_fitted_encoder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    data, backbone = digits(), SmallCNN(1, 4)
    estimator = LSH(8, random_state=0)

    made = baseline_codes(ShallowEncoder(backbone, estimator), data, str(tmp_path))

    backbone.eval()
    with torch.no_grad():
        query, database = (backbone(data.sets[name].inputs(data.sets[name].places)) for name in ("query", "database"))
    relaxed = torch.from_numpy(estimator.transform(database.numpy()))
    torch.testing.assert_close(made.relaxed, relaxed)
    assert torch.equal(made.relaxed_rows, torch.arange(len(relaxed)))
    bits = torch.from_numpy(estimator.transform(query.numpy())) > 0
    unpacked = torch.from_numpy(np.unpackbits(made.query.numpy(), axis=1, bitorder="little")).bool()
    assert torch.equal(unpacked, bits)
    assert made.bits == 8


def test_relaxed_codes_are_kept_of_rows_that_are_spread_over_a_large_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = codes(tmp_path / "whole")
    monkeypatch.setattr("softhash.runs.folder._RELAXED_ROWS", 3)

    some, again = codes(tmp_path / "some"), codes(tmp_path / "some")

    count = len(whole.database)
    rows = [0, count // 3, 2 * count // 3]
    assert some.relaxed_rows.tolist() == again.relaxed_rows.tolist() == rows
    assert torch.equal(some.relaxed, whole.relaxed[rows])


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    first = codes(tmp_path)
    (path,) = (tmp_path / "baselines").glob("*.npz")
    path.write_bytes(b"cut")

    again = codes(tmp_path)

    assert CountingLSH.fits == [40, 40]
    assert torch.equal(first.query, again.query)


def test_the_backbone_is_left_as_it_was(tmp_path: Path) -> None:
    backbone = SmallCNN(1, 4)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}

    baseline_codes(ShallowEncoder(backbone, LSH(8, random_state=0)), digits(), str(tmp_path))

    assert backbone.training
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
