"""What every method keeps, found by its config: a new one is tested without an edit here."""

import copy
import inspect
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig
from torch import Tensor

import softhash.config  # noqa: F401 - registers what configs call
from softhash.hashers.base import Hasher
from softhash.hashers.deep import DeepHasher
from softhash.losses.base import PairwiseLoss

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "method").glob("*.yaml"))
COUNTS = {"num_train": 96, "num_validation": 16, "num_query": 16, "num_database": 48}
CLASSES = 10


def stored(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((CONF / "method" / f"{name}.yaml").read_text())
    return config


@cache
def composed(name: str, *overrides: str) -> DictConfig:
    """The config of a method on few images of digits; tests must not change it."""
    counts = [f"data.{key}={count}" for key, count in COUNTS.items()]
    names = [f"method={name}", f"names.method={name}", "names.data=digits", "bits=16", "batch_size=32"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", [*names, *counts, *overrides])


TRAINED = [name for name in NAMES if "loss" in stored(name)]


@lru_cache(maxsize=3)  # those of one method
def trained(name: str, steps: int) -> Hasher:
    """A hasher of the method after some steps; tests must not change its weights."""
    config = composed(name)
    pl.seed_everything(0, verbose=False)
    hasher, data = instantiate(config.hasher), instantiate(config.data)
    trainer = pl.Trainer(
        max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, limit_val_batches=0,
    )  # fmt: skip
    if config.epochs:
        trainer.fit(hasher, data)
    trainer.test(hasher, data, verbose=False)
    return hasher


def digits(count: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, 1, 16, 16), dtype=np.uint8))


@pytest.mark.parametrize("name", NAMES)
def test_a_config_says_which_method_it_is(name: str) -> None:
    lines = (CONF / "method" / f"{name}.yaml").read_text().splitlines()

    assert lines[0] == "# @package _global_"
    assert lines[1].lower().startswith(f"# {name}: ")
    assert lines[2].startswith(("# Differs: ", "defaults:"))


@pytest.mark.parametrize("name", NAMES)
def test_the_keys_of_a_method_are_the_arguments_of_its_class(name: str) -> None:
    config = stored(name).get("loss") or stored(name)["estimator"]

    assert set(config) - {"_target_"} == set(inspect.signature(get_class(config["_target_"])).parameters)


@pytest.mark.parametrize("name", NAMES)
def test_images_become_codes_that_differ(name: str) -> None:
    hasher = trained(name, steps=2).eval()

    codes = hasher.encoder(digits(8))

    width = -(-codes.bits // 8)
    assert codes.bits == 16
    assert codes.database.shape == (8, width)
    assert codes.database.dtype == torch.uint8
    assert codes.query.shape[:2] == (8, width)
    assert torch.isfinite(codes.relaxed).all()
    assert len(torch.unique(codes.relaxed, dim=0)) == 8


@pytest.mark.parametrize("name", NAMES)
def test_a_hasher_gives_codes_of_the_methods_that_it_names(name: str) -> None:
    hasher = trained(name, steps=1)
    data = hasher.trainer.datamodule  # type: ignore[attr-defined]

    for split in ("validation", "query", "database"):
        batch = data.sets[split].__getitems__(range(4))
        codes = hasher.eval().codes(batch, split)

        assert list(codes) == hasher.methods
        assert all(len(of_method.database) == 4 for of_method in codes.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_state_of_its_encoder_is_all_that_codes_need(name: str) -> None:
    hasher = trained(name, steps=2).eval()
    fresh = instantiate(composed(name).encoder)

    fresh.load_state_dict(hasher.encoder.state_dict())

    images = digits(8)
    torch.testing.assert_close(fresh.eval()(images), hasher.encoder(images), rtol=0, atol=0)


@pytest.mark.parametrize("name", TRAINED)
def test_a_step_moves_every_parameter(name: str) -> None:
    before = {key: value.clone() for key, value in trained(name, steps=0).named_parameters() if value.requires_grad}

    after = dict(trained(name, steps=1).named_parameters())

    assert [key for key, value in before.items() if torch.equal(value, after[key])] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_twice_gives_the_same_weights(name: str) -> None:
    first, second = (hasher.state_dict() for hasher in (trained(name, steps=2), trained.__wrapped__(name, steps=2)))

    assert first.keys() == second.keys()
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, rtol=0, atol=0)


class Fake:
    """A training set of given labels, whose codes are random."""

    similarity = None

    def __init__(self, labels: Tensor, hasher: DeepHasher) -> None:
        self.labels, self.bits, self.width = labels.to(torch.uint8), hasher.bits, self.relaxed(hasher, 2).shape[1]
        self.in_features = hasher.encoder.backbone.out_features

    @staticmethod
    def relaxed(hasher: DeepHasher, count: int) -> Tensor:
        features = torch.randn(count, hasher.encoder.backbone.out_features, generator=torch.Generator().manual_seed(0))
        return hasher.encoder.relax(features).detach()

    def encode(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        count, rng = len(self.labels) if rows is None else len(rows), torch.Generator().manual_seed(1)
        return torch.randn(count, self.in_features, generator=rng), torch.randn(count, self.width, generator=rng)


def begun(name: str, labels: Tensor, config: DictConfig | None = None) -> DeepHasher:
    """A hasher whose parts have seen a training set and the start of its first epoch."""
    pl.seed_everything(0, verbose=False)
    hasher: DeepHasher = instantiate((config or composed(name)).hasher)
    train = Fake(labels, hasher)
    for when, arguments in (("setup", (train,)), ("on_epoch_start", (0, train))):
        for hook in hasher._hooks(when):
            hook(*arguments)
    return hasher


def total(hasher: DeepHasher, relaxed: Tensor, labels: Tensor, rows: Tensor, **features: Tensor) -> Tensor:
    given = features if hasher._wants_features else {}
    terms = hasher.loss(relaxed, labels, rows, **given)
    assert all(term.shape == () for term in terms.values())
    return torch.stack(list(terms.values())).sum()


def one_hot(*columns: int | None) -> Tensor:
    labels = torch.zeros(len(columns), CLASSES)
    for row, column in enumerate(columns):
        if column is not None:
            labels[row, column] = 1
    return labels


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(one_hot(0, 0, 0, 0), id="identical labels"),
        pytest.param(one_hot(0, 1, 2, None), id="no similar pair"),
        pytest.param(one_hot(None, None, None, None), id="no labels"),
        pytest.param(one_hot(0, 1), id="two images"),
    ],
)
def test_a_loss_is_finite_for_extreme_batches_and_codes(name: str, labels: Tensor) -> None:
    hasher = begun(name, labels)
    count, rng = len(labels), torch.Generator().manual_seed(0)
    relaxed = (torch.randn(count, Fake.relaxed(hasher, 2).shape[1], generator=rng) * 100).requires_grad_()
    features = torch.randn(count, hasher.encoder.backbone.out_features, generator=rng)

    value = total(hasher, relaxed, labels, torch.arange(count), features=features)
    (gradient,) = torch.autograd.grad(value, relaxed)

    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", TRAINED)
def test_the_order_of_a_batch_does_not_matter(name: str) -> None:
    """Images change places in pairs and within halves: views come in pairs, and some methods compare two halves."""
    order = torch.tensor([2, 3, 0, 1, 6, 7, 4, 5])
    labels = one_hot(0, 0, 1, 1, 2, 2, 0, 0)
    labels[::2, 3] = 1
    values = []
    for rows in (torch.arange(8), order):
        hasher = begun(name, labels).double()
        rng = torch.Generator().manual_seed(0)
        relaxed = torch.randn(8, Fake.relaxed(begun(name, labels), 2).shape[1], generator=rng, dtype=torch.float64)
        features = torch.randn(8, hasher.encoder.backbone.out_features, generator=rng, dtype=torch.float64)
        pl.seed_everything(0, verbose=False)
        values.append(total(hasher, relaxed[rows], labels[rows].double(), rows, features=features[rows]))

    torch.testing.assert_close(values[0], values[1])


PAIRWISE = [name for name in TRAINED if issubclass(get_class(stored(name)["loss"]["_target_"]), PairwiseLoss)]


@pytest.mark.parametrize("similarity", sorted(path.stem for path in (CONF / "similarity").glob("*.yaml")))
@pytest.mark.parametrize("name", PAIRWISE)
def test_a_method_that_compares_images_takes_any_similarity_or_refuses_it_by_name(name: str, similarity: str) -> None:
    labels = one_hot(0, 0, 1, 2)
    labels[0, 1] = labels[1, 1] = labels[1, 2] = 1
    config = copy.deepcopy(composed(name))
    config.similarity = composed("idhn", f"similarity={similarity}").similarity
    try:
        hasher = begun(name, labels, config)
    except Exception as error:
        assert f"similarity={similarity}" in str(error)  # noqa: PT017
        return
    relaxed = torch.randn(4, Fake.relaxed(hasher, 2).shape[1], generator=torch.Generator().manual_seed(0))

    assert torch.isfinite(total(hasher, relaxed, labels, torch.arange(4), features=torch.zeros(4, 1)))


@pytest.mark.parametrize("name", TRAINED)
def test_state_survives_a_checkpoint(name: str) -> None:
    labels = one_hot(0, 1, 2, 3)
    hasher, restored = begun(name, labels), begun(name, labels)
    relaxed = torch.randn(4, Fake.relaxed(hasher, 2).shape[1], generator=torch.Generator().manual_seed(0))
    features = torch.zeros(4, hasher.encoder.backbone.out_features)
    total(hasher, relaxed, labels, torch.arange(4), features=features)  # writes what the loss remembers

    restored.load_state_dict(hasher.state_dict())

    values = [total(model, relaxed + 1, labels, torch.arange(4), features=features) for model in (hasher, restored)]
    torch.testing.assert_close(values[0], values[1], rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_of_a_loss_has_epochs_and_no_other(name: str) -> None:
    assert bool(composed(name).epochs) == (name in TRAINED)


def test_the_contract_finds_what_it_should() -> None:
    assert {"idhn", "csq"} <= set(TRAINED)
    assert {"idhn", "dhn", "hashnet", "dpsh", "isdh"} <= set(PAIRWISE)
    assert "lsh" in set(NAMES) - set(TRAINED)
