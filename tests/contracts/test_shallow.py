"""What every estimator keeps, found by the config of its method: scikit-learn's conventions, and codes that can be stored."""

import inspect
import re
import tracemalloc
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import check_estimator

import softhash.config  # noqa: F401 - registers what configs call
from softhash.shallow import blocks

CONF = Path(__file__).parents[2] / "conf"
ALL = sorted(path.stem for path in (CONF / "method").glob("*.yaml"))
BITS = 16
FEW = {  # what makes a fit slow, made small
    "gradient_steps": 3, "num_epochs": 2, "num_pairs": 200, "pairs_per_epoch": 200, "rounds": 2, "num_anchors": 30,
    "num_labeled": 60,
}  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore:AGH")  # says that a graph has parts


@cache
def class_of(name: str) -> Any:
    """The class of a method's estimator; None if it has no estimator."""
    stored = yaml.safe_load((CONF / "method" / f"{name}.yaml").read_text())
    return get_class(stored["estimator"]["_target_"]) if "estimator" in stored else None


@cache
def config_of(name: str) -> DictConfig:
    """The part of a method's config that its estimator is made from."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"method={name}", f"names.method={name}", "names.data=digits", f"bits={BITS}"])
    OmegaConf.resolve(config.estimator)
    estimator: DictConfig = config.estimator
    return estimator


def configured(name: str) -> Any:
    """The estimator of a method as its config has it."""
    return instantiate(config_of(name))


def quick(name: str) -> Any:
    """The same, with less to compute."""
    estimator = configured(name)
    return estimator.set_params(**{key: value for key, value in FEW.items() if key in estimator.get_params()})


NAMES = [name for name in ALL if class_of(name)]


def features(count: int = 80) -> np.ndarray:
    """Four groups of positive features, of which one is constant and two rows are equal."""
    rng = np.random.default_rng(0)
    centers = 3 * rng.random((4, 24))
    rows = centers[np.arange(count) % 4] + rng.random((count, 24))
    rows[:, 5] = 1
    if count > 5:
        rows[1] = rows[5]
    return rows.astype(np.float32)


def labels(count: int = 80) -> np.ndarray:
    """One label by group and one of every second image; the last image has none."""
    held = np.eye(5, dtype=np.uint8)[np.arange(count) % 4]
    held[::2, 4] = 1
    held[-1] = 0
    return held


def learnt(estimator: Any) -> dict[str, Any]:
    return {key: value for key, value in vars(estimator).items() if key.endswith("_")}


def distances(estimator: Any, rows: np.ndarray) -> np.ndarray:
    bits = estimator.transform(rows) > 0
    return (bits[:, None] != bits[None]).sum(2)


WORDED_OTHERWISE = {  # checks of scikit-learn that look for words in an error
    "check_fit2d_1sample": "that one row is too few is said in bits and rows, not as n_samples=1",
    "check_fit2d_1feature": "that one feature is too few is said in bits and features, not as n_features=1",
    "check_requires_y_none": "that labels are needed is said by the name of the method, not of y",
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize("name", NAMES)
def test_it_passes_the_checks_of_scikit_learn(name: str) -> None:
    estimator = quick(name).set_params(bits=2, **({"bits_per_block": 2} if name == "pq" else {}))

    check_estimator(estimator, expected_failed_checks=WORDED_OTHERWISE)


@pytest.mark.parametrize("name", NAMES)
def test_its_parameters_are_stored_as_they_were_given(name: str) -> None:
    estimator = configured(name)
    parameters = estimator.get_params()

    assert parameters["bits"] == BITS
    assert estimator.learns_from in ("nothing", "classes")
    assert learnt(estimator) == {}
    again = type(estimator)(**parameters)
    assert all(again.get_params()[key] is value for key, value in parameters.items())
    copied = clone(estimator).get_params()
    assert copied.keys() == parameters.keys()
    assert all(copied[key] == value for key, value in parameters.items() if not callable(value))


@pytest.mark.parametrize("name", NAMES)
def test_its_docstring_says_where_it_is_from_how_sure_that_is_and_what_it_costs(name: str) -> None:
    about = type(configured(name)).__doc__

    assert all(f"{word}:" in about for word in ("Source", "Confidence", "Cost", "Memory", "Args", "Attributes"))


@pytest.mark.parametrize("name", NAMES)
def test_fitting_learns_numbers_alone_and_changes_no_parameter(name: str) -> None:
    estimator = quick(name)
    before = estimator.get_params()

    fitted = estimator.fit(features(), labels())

    assert fitted is estimator
    assert estimator.get_params() == before
    assert learnt(clone(estimator)) == {}
    for key, value in learnt(estimator).items():
        assert torch.as_tensor(value).is_floating_point() or np.asarray(value).dtype.kind == "i", key
        assert np.isfinite(value).all(), key


@pytest.mark.parametrize("name", NAMES)
def test_codes_of_rows_are_float32_and_the_same_one_by_one_as_together(name: str) -> None:
    estimator, rows = quick(name).fit(features(), labels()), features()

    together = estimator.transform(rows)

    assert (together.shape, together.dtype) == ((80, BITS), np.float32)
    assert np.isfinite(together).all()
    one_by_one = np.concatenate([estimator.transform(row[None]) for row in rows])
    scale = np.abs(together).max()
    np.testing.assert_allclose(one_by_one, together, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_state_gives_the_same_codes_also_when_fitted_twice(name: str) -> None:
    estimator, rows = quick(name).fit(features(), labels()), features()
    codes = estimator.transform(rows)

    np.testing.assert_array_equal(clone(estimator).fit(rows, labels()).transform(rows), codes)
    np.testing.assert_array_equal(estimator.fit(rows, labels()).transform(rows), codes)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if "random_state" in inspect.signature(class_of(name)).parameters]
)
def test_another_random_state_gives_other_codes(name: str) -> None:
    rows = features()

    codes = [quick(name).set_params(random_state=seed).fit(rows, labels()).transform(rows) for seed in range(3)]

    assert any(not np.array_equal(codes[0], other) for other in codes[1:])


@pytest.mark.parametrize("name", NAMES)
def test_what_it_is_given_stays_as_it_was(name: str) -> None:
    rows, held = features(), labels()

    quick(name).fit(rows, held).transform(rows)

    np.testing.assert_array_equal(rows, features())
    np.testing.assert_array_equal(held, labels())


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_features_that_are_mapped_into_memory_and_read_only(name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "features.npy", features())
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")

    codes = quick(name).fit(mapped, labels()).transform(mapped)

    np.testing.assert_array_equal(codes, quick(name).fit(features(), labels()).transform(features()))


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_needed_or_not_used(name: str) -> None:
    estimator = quick(name)
    if estimator.learns_from == "nothing":
        codes = estimator.fit(features()).transform(features())
        np.testing.assert_array_equal(codes, quick(name).fit(features(), labels()).transform(features()))
        return
    with pytest.raises(ValueError, match=f"{type(estimator).__name__} learns from labels"):
        estimator.fit(features())
    with pytest.raises(ValueError, match=r"needs \(80, C\) multi-hot labels"):
        estimator.fit(features(), labels()[:-1])
    with pytest.raises(ValueError, match="multi-hot labels are 0 and 1, got 2"):
        estimator.fit(features(), 2 * labels())
    with pytest.raises(ValueError, match=f"{type(estimator).__name__} learns from labels, and no row has any"):
        estimator.fit(features(), np.zeros((80, 5), np.uint8))


@pytest.mark.parametrize("name", [name for name in NAMES if configured(name).learns_from == "classes"])
def test_classes_by_number_or_name_are_labels_of_one_class_each(name: str) -> None:
    classes = np.arange(80) % 4

    codes = [
        quick(name).fit(features(), given).transform(features())
        for given in (np.eye(4, dtype=np.uint8)[classes], classes, np.array(list("abcd"))[classes])
    ]

    np.testing.assert_array_equal(codes[0], codes[1])
    np.testing.assert_array_equal(codes[0], codes[2])


@pytest.mark.parametrize("name", NAMES)
def test_features_that_make_no_sense_are_refused_by_name(name: str) -> None:
    estimator, spoilt = quick(name), features()
    spoilt[3, 2] = np.nan

    with pytest.raises(NotFittedError):
        estimator.transform(features())
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(spoilt, labels())
    estimator.fit(features(), labels())
    with pytest.raises(ValueError, match="NaN"):
        estimator.transform(spoilt)
    with pytest.raises(ValueError, match=r"X has 7 features, but \w+ is expecting 24"):
        estimator.transform(features()[:, :7])
    with pytest.raises(ValueError, match="bits must be at least 1, got 0"):
        estimator.set_params(bits=0).fit(features(), labels())


@pytest.mark.parametrize(
    "given",
    [np.ones((40, 24), np.float32), features(5), features(1), features()[:, :3]],
    ids=["equal rows", "5 rows", "1 row", "3 features"],
)
@pytest.mark.parametrize("name", NAMES)
def test_more_bits_than_a_method_can_give_are_refused_and_else_codes_are_finite(name: str, given: np.ndarray) -> None:
    held = labels(len(given))
    held[0, 0] = 1
    try:
        codes = quick(name).fit(given, held).transform(features()[:, : given.shape[1]])
    except ValueError as error:
        assert f"bits={BITS}" in str(error)  # noqa: PT017
        assert type(quick(name)).__name__ in str(error)  # noqa: PT017
    else:
        assert np.isfinite(codes).all()


@pytest.mark.parametrize("name", NAMES)
def test_its_state_comes_back_from_tensors(name: str) -> None:
    estimator, fresh = quick(name).fit(features(), labels()), quick(name)

    for key, value in learnt(estimator).items():
        setattr(fresh, key, torch.as_tensor(value).clone().numpy())

    np.testing.assert_array_equal(fresh.transform(features()), estimator.transform(features()))


@pytest.mark.parametrize("name", ["pcah", "sh"])
def test_the_order_of_rows_does_not_matter_where_nothing_is_drawn(name: str) -> None:
    order = np.random.default_rng(1).permutation(80)

    codes = [configured(name).fit(rows) for rows in (features(), features()[order])]

    np.testing.assert_array_equal(*(distances(estimator, features()) for estimator in codes))


def stated_memory(estimator: Any, **sizes: float) -> float:
    """Bytes that the docstring states, as ``Memory: N S + M (M + D).`` in numbers of 8 bytes."""
    formula = re.search(r"Memory: ([^.]*)\.", type(estimator).__doc__)
    assert formula is not None
    parameters = estimator.get_params()
    names = {"K": "bits", "M": "num_anchors", "S": "num_nearest", "L": "num_rows", "b": "bits_per_block"}
    names |= {"L": "num_labeled"} if "num_labeled" in parameters else {}
    names |= {"b": "bits_per_hash"} if "bits_per_hash" in parameters else {}
    sizes |= {letter: parameters[name] for letter, name in names.items() if name in parameters}
    sizes["P"] = sizes.get("L", 0) * parameters.get("pair_fraction", 0)
    product = re.sub(r"(?<=[\w)])\s+(?=[\w(])", " * ", formula[1].replace("^", "**"))
    return 8 * float(eval(product, {}, sizes))  # noqa: S307 - a formula of this project


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """20,000 rows of 256 features in a file; 40 MB if they were float64 in memory."""
    count, width = 20_000, 256
    path = tmp_path_factory.mktemp("features") / "features.npy"
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (count, width))
    rng = np.random.default_rng(0)
    centers = rng.random((10, width))
    for start in range(0, count, 1000):
        rows[start : start + 1000] = centers[np.arange(1000) % 10] + rng.random((1000, width))
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_fitting_takes_the_memory_that_its_docstring_states_and_never_a_copy_in_float64(
    name: str, mapped: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "_NUMBERS", 2**14)  # many blocks, as of many rows: a 64th of the 40 MB
    count, width = mapped.shape
    held = np.eye(10, dtype=np.uint8)[np.arange(count) % 10]
    held[::7] = 0
    estimator = quick(name)
    few = {"num_rows": 500, "num_labeled": 500, "bits_per_block": 4}  # no more rows and centres than such have
    estimator.set_params(**{key: value for key, value in few.items() if key in estimator.get_params()})
    clone(estimator).fit(features(), labels())  # what is imported and compiled once

    tracemalloc.start()
    estimator.fit(mapped, held)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    bound = 4 * stated_memory(estimator, N=count, D=width, C=10, H=width) + 2**20
    assert peak < bound < mapped.size * 8
