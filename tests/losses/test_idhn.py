from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from softhash.functional.similarity import count
from softhash.losses.idhn import IDHNLoss


def test_the_authors_code(golden: Callable[..., None]) -> None:
    golden(IDHNLoss(), 0.167248, [-0.038489, 0.021203, -0.036648, -0.041961])


def test_the_paper(golden: Callable[..., None]) -> None:
    golden(IDHNLoss("paper"), 0.173242, [-0.038161, 0.020657, -0.033476, -0.044040])


def test_deephash_pytorch(golden: Callable[..., None]) -> None:
    golden(IDHNLoss("dhp"), 0.329175, [-0.045702, 0.032766, -0.030005, -0.048554], first=2)


def test_each_pair(fixture_f: SimpleNamespace) -> None:
    loss = IDHNLoss(quantization_weight=0)
    whole = fixture_f.relaxed.detach()

    def of_pair(i: int, j: int) -> float:
        """Solve the means over (i, i), (i, j), (j, i), (j, j) and over (i, i), (j, j) for the pair's own cost."""
        both = torch.tensor([i, j])
        alone = [loss(whole[[k]], fixture_f.labels[[k]], torch.tensor([k]))["pair"] for k in (i, j)]
        return float(4 * loss(whole[both], fixture_f.labels[both], both)["pair"] - sum(alone)) / 2

    alone = float(loss(whole[[0]], fixture_f.labels[[0]], torch.tensor([0]))["pair"])
    row = [alone, *(of_pair(0, j) for j in (1, 2, 3))]

    assert row == pytest.approx([0.142675, 0.001362, 0.003062, 0.246415], abs=1e-6)
    assert of_pair(1, 2) == pytest.approx(0.378918, abs=1e-6)


def test_terms_are_given_with_their_weights(fixture_f: SimpleNamespace) -> None:
    terms = IDHNLoss()(fixture_f.relaxed, fixture_f.labels, fixture_f.rows)

    assert terms["pair"].item() == pytest.approx(0.120998, abs=1e-6)
    assert terms["quantization"].item() == pytest.approx(0.1 * 0.462500, abs=1e-6)


def test_what_the_bank_has_not_seen_is_similar_to_nothing() -> None:
    labels = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    loss = IDHNLoss("dhp", quantization_weight=0)
    loss.setup(SimpleNamespace(labels=labels, bits=4, similarity=None))

    pair = loss(torch.full((1, 4), 1.0), labels[:1], torch.tensor([0]))["pair"]

    # with itself, omega = 4 / 2 and s = 1: softplus(2) - 2; with the unseen one, omega = 0 and s = 0: log 2
    expected = (torch.tensor(2.0).exp().log1p() - 2 + torch.tensor(2.0).log()) / 2
    torch.testing.assert_close(pair, expected)


def test_an_unknown_variant_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="variant must be one of official, paper, dhp, got 'offical'"):
        IDHNLoss(variant="offical")


def test_counts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"similarity=count is 2 .* IDHNLoss needs similarities in \[0, 1\]"):
        IDHNLoss(similarity=count)
