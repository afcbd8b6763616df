import numpy as np
import torch
from torch import nn

from softhash.hashers.tables import TableEncoder
from softhash.shallow.pq import PQ


class Pass(nn.Module):
    """Features as they are."""

    out_features = 6
    frozen = True


def test_a_query_scores_an_item_by_its_distance_to_the_centres_of_the_item() -> None:
    features = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    encoder = TableEncoder(Pass(), PQ(8, bits_per_block=4, random_state=0))
    estimator = encoder.head.estimator.fit(features.numpy())

    codes = encoder(features)

    assert (codes.query.shape, codes.query.dtype) == ((50, 1, 256), torch.float32)
    assert (codes.database.shape, codes.database.dtype, codes.bits) == ((50, 1), torch.uint8, 8)
    low, high = codes.database[:, 0] & 15, codes.database[:, 0] >> 4
    decoded = np.hstack([estimator.centers_[block][number] for block, number in enumerate((low, high))])
    expected = ((features[:, None].numpy() - decoded[None]) ** 2).sum(2)
    scores = codes.query[:, 0][:, codes.database[:, 0].long()]
    np.testing.assert_allclose(-scores, expected, rtol=1e-4, atol=1e-5)


def test_it_is_restored_from_its_state() -> None:
    features = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    fitted, fresh = (TableEncoder(Pass(), PQ(8, bits_per_block=4, random_state=seed)) for seed in (0, 1))
    fitted.head.estimator.fit(features.numpy())

    fresh.load_state_dict(fitted.state_dict())

    torch.testing.assert_close(fresh(features), fitted(features), rtol=0, atol=0)
