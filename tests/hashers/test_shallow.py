import numpy as np
import torch
from torch import nn

from softhash.hashers.shallow import ShallowEncoder
from softhash.shallow.lsh import LSH


class Pass(nn.Module):
    """Features as they are."""

    out_features = 3
    frozen = True


def test_a_fitted_estimator_is_restored_from_the_state_of_its_encoder() -> None:
    features = torch.randn(20, 3)
    fitted, fresh = (ShallowEncoder(Pass(), LSH(bits=8, random_state=seed)) for seed in (1, 2))
    fitted.head.estimator.fit(features.numpy())

    fresh.load_state_dict(fitted.state_dict())

    np.testing.assert_array_equal(fresh.head.estimator.hyperplanes_, fitted.head.estimator.hyperplanes_)
    torch.testing.assert_close(fresh(features).relaxed, fitted(features).relaxed, rtol=0, atol=0)
    assert fresh.bits == 8


def test_nothing_is_stored_of_an_estimator_that_was_not_fitted() -> None:
    assert ShallowEncoder(Pass(), LSH(bits=8)).head.get_extra_state() == {}
