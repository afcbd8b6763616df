"""What every similarity of images keeps, found by its config."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_method, instantiate
from torch import Tensor

import softhash.config  # noqa: F401 - registers what configs call
from softhash.functional.similarity import Similarity

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "similarity").glob("*.yaml"))


def stored(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((CONF / "similarity" / f"{name}.yaml").read_text())
    return config


def built(name: str) -> Similarity:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"similarity={name}"])
    similarity: Similarity = instantiate(config.similarity)
    return similarity


def labels(count: int, seed: int = 0) -> Tensor:
    """``(count, 6)`` multi-hot, the last row without labels."""
    values = torch.rand(count, 6, generator=torch.Generator().manual_seed(seed)) < 0.4
    values[:-1, 0] = True
    values[-1] = False
    return values.float()


@pytest.mark.parametrize("name", NAMES)
def test_a_config_says_what_it_is(name: str) -> None:
    assert (CONF / "similarity" / f"{name}.yaml").read_text().startswith("# ")


@pytest.mark.parametrize("name", NAMES)
def test_the_keys_of_a_similarity_are_the_arguments_of_its_function(name: str) -> None:
    config = stored(name)

    arguments = set(inspect.signature(get_method(config["_target_"])).parameters)

    assert config["_partial_"] is True
    assert set(config) - {"_target_", "_partial_"} == arguments - {"labels", "others"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_two_sets_of_images_become_a_matrix_of_their_type(name: str, dtype: torch.dtype) -> None:
    similar = built(name)(labels(5).to(dtype), labels(7, seed=1).to(dtype))

    assert similar.shape == (5, 7)
    assert similar.dtype == dtype
    assert (similar >= 0).all()
    assert torch.isfinite(similar).all()


@pytest.mark.parametrize("name", NAMES)
def test_one_image_is_as_similar_to_another_as_that_to_it(name: str) -> None:
    first, second = labels(5), labels(7, seed=1)

    torch.testing.assert_close(built(name)(first, second), built(name)(second, first).T)


@pytest.mark.parametrize("name", NAMES)
def test_what_has_no_label_is_similar_to_nothing_not_even_itself(name: str) -> None:
    similar = built(name)(labels(5), labels(5))

    assert (similar[-1] == 0).all()
    assert (similar[:, -1] == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_images_are_similar_where_they_share_a_label_and_most_to_one_with_the_same(name: str) -> None:
    first = labels(20)

    similar = built(name)(first, first)

    assert torch.equal(similar > 0, first @ first.T > 0)
    assert (similar <= similar.diagonal()[:, None] + 1e-6).all()
