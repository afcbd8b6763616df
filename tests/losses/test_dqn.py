from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from softhash.losses.dqn import DQNLoss, Quantizer, decode, icm, k_means, least_squares

CODEBOOKS = [[[0.5, -0.5, 0, 0], [-0.5, 0.5, 0, 0]], [[0, 0, 0.8, 0.5], [0, 0, -0.8, 0.5]]]


def ready(fixture_f: SimpleNamespace, **options: Any) -> DQNLoss:
    loss = DQNLoss(**options)
    loss.quantizer = Quantizer(num_codebooks=2, dimensions=4)
    loss.setup(fixture_f.train)
    return loss.double()


def objective(z: NDArray[np.float64], y: NDArray[np.float64], targets: NDArray[np.float64], weight: float) -> float:
    """Both terms in plain loops."""
    pair = 0.0
    for a, label in zip(z, y, strict=True):
        for b, other in zip(z, y, strict=True):
            wanted = 1.0 if label @ other > 0 else -1.0
            pair += (wanted - float(a @ b) / np.sqrt(float(a @ a) * float(b @ b))) ** 2
    return pair / len(z) ** 2 + weight * float(((z - targets) ** 2).sum()) / len(z)


def test_value_and_gradient_of_the_pairs_before_codebooks_are_fitted(fixture_f: SimpleNamespace) -> None:
    terms = ready(fixture_f)(fixture_f.relaxed, fixture_f.labels, fixture_f.rows)
    (gradient,) = torch.autograd.grad(sum(terms.values()), fixture_f.relaxed)

    assert terms["pair"].item() == pytest.approx(0.673079, abs=1e-6)
    assert terms["quantization"].item() == 0
    assert gradient[0].tolist() == pytest.approx([0.030699, -0.109760, 0.162622, -0.148654], abs=2e-6)


def test_value_and_gradient_with_codewords(fixture_f: SimpleNamespace) -> None:
    loss = ready(fixture_f, quantization_weight=0.5)
    loss.quantizer.codebooks[:, :2] = torch.tensor(CODEBOOKS)
    loss.codes[:] = torch.tensor([[0, 0], [0, 1], [1, 1], [0, 0]])
    loss.fitted.fill_(value=True)

    total = sum(loss(fixture_f.relaxed, fixture_f.labels, fixture_f.rows).values())
    (gradient,) = torch.autograd.grad(total, fixture_f.relaxed)

    z, y = fixture_f.relaxed.detach().numpy(), fixture_f.labels.numpy()
    first, second = np.array(CODEBOOKS)
    targets = np.stack([first[0] + second[0], first[0] + second[1], first[1] + second[1], first[0] + second[0]])
    assert total.item() == pytest.approx(0.673079 + 0.5 * 0.34, abs=1e-6)
    step = 1e-6
    for place in np.ndindex(*z.shape):
        above, below = z.copy(), z.copy()
        above[place] += step
        below[place] -= step
        slope = (objective(above, y, targets, 0.5) - objective(below, y, targets, 0.5)) / (2 * step)
        assert gradient[place].item() == pytest.approx(slope, abs=1e-7)


def test_codewords_are_chosen_and_refitted_as_in_the_groups_code(fixture_f: SimpleNamespace) -> None:
    vectors, codebooks = fixture_f.relaxed.detach(), torch.tensor(CODEBOOKS, dtype=torch.float64)

    codes = icm(vectors, codebooks, sweeps=1)
    refitted = least_squares(vectors, codes, codebooks)

    errors = [(vectors - decode(codes, books)).square().sum(1).mean().item() for books in (codebooks, refitted)]
    assert codes.tolist() == [[0, 0], [0, 1], [1, 1], [0, 0]]
    assert errors == pytest.approx([0.34, 0.082501], abs=1e-6)
    assert refitted[0, 0].tolist() == pytest.approx([0.587102, -0.649332, 0.299800, 0.337483], abs=1e-6)


def test_a_codeword_that_nothing_is_assigned_to_stays() -> None:
    codebooks = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))

    refitted = least_squares(torch.ones(5, 4), torch.zeros(5, 2, dtype=torch.int64), codebooks)

    torch.testing.assert_close(refitted[:, 1:], codebooks[:, 1:], rtol=0, atol=0)


def test_more_sweeps_never_choose_worse_codewords() -> None:
    rng = torch.Generator().manual_seed(0)
    vectors, codebooks = torch.randn(50, 6, generator=rng), torch.randn(3, 5, 6, generator=rng)

    errors = torch.stack([(vectors - decode(icm(vectors, codebooks, n), codebooks)).square().sum(1) for n in (1, 2, 3)])

    assert (errors.diff(dim=0) <= 1e-5).all()


def test_k_means_finds_clusters_that_are_far_apart() -> None:
    rng = torch.Generator().manual_seed(0)
    corners = torch.tensor([[0.0, 0], [0, 100], [100, 0]])
    vectors = (corners[:, None] + torch.randn(3, 30, 2, generator=rng)).flatten(0, 1)

    centers = k_means(vectors, 20, rng)

    distances = torch.cdist(vectors, centers).amin(1)
    assert distances.max() < 5
    assert torch.isfinite(centers).all()


def test_each_codebook_is_of_its_own_block_of_dimensions() -> None:
    quantizer = Quantizer(num_codebooks=2, dimensions=5)
    vectors = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))  # fewer than codewords: none is lost

    quantizer.fit(vectors, torch.Generator().manual_seed(0))

    assert quantizer.codebooks[0, :, 3:].eq(0).all()
    assert quantizer.codebooks[1, :, :3].eq(0).all()
    torch.testing.assert_close(decode(quantizer.assign(vectors).long(), quantizer.codebooks), vectors)


def test_tables_sum_to_the_inner_product_with_the_codewords() -> None:
    quantizer = Quantizer(num_codebooks=3, dimensions=6)
    queries, items = torch.randn(2, 6), torch.randn(4, 6)
    codes = quantizer.assign(items).long()

    tables = quantizer.tables(queries)

    scores = [[sum(tables[q, m, codes[n, m]].item() for m in range(3)) for n in range(4)] for q in range(2)]
    torch.testing.assert_close(torch.tensor(scores), queries @ decode(codes, quantizer.codebooks).T)


@pytest.mark.parametrize("refit", [False, True])
def test_codebooks_are_fitted_every_other_epoch_from_the_first_on(fixture_f: SimpleNamespace, refit: bool) -> None:
    loss = ready(fixture_f, refit=refit)
    encoded: list[Tensor] = []
    rng = torch.Generator().manual_seed(0)

    def encode() -> tuple[None, Tensor]:
        encoded.append(torch.tanh(torch.randn(4, 4, generator=rng, dtype=torch.float64)))
        return None, encoded[-1]

    for epoch in range(3):
        loss.on_epoch_end(epoch, SimpleNamespace(encode=encode))  # type: ignore[arg-type]

    assert len(encoded) == 2
    assert loss.fitted
    torch.testing.assert_close(decode(loss.codes.long(), loss.quantizer.codebooks), encoded[1], atol=0.01, rtol=0)


def test_codewords_and_codebooks_survive_a_checkpoint(fixture_f: SimpleNamespace) -> None:
    loss, restored = ready(fixture_f), ready(fixture_f)
    loss.on_epoch_end(0, SimpleNamespace(encode=lambda: (None, fixture_f.relaxed.detach())))  # type: ignore[arg-type]

    restored.load_state_dict(loss.state_dict())

    assert restored.fitted
    torch.testing.assert_close(restored.codes, loss.codes)
    torch.testing.assert_close(restored.quantizer.codebooks, loss.quantizer.codebooks)


@pytest.mark.parametrize("name", ["quantization_weight", "epochs_per_fit"])
def test_a_value_that_is_too_small_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least [01], got -1"):
        DQNLoss(**{name: -1})  # type: ignore[arg-type]


def test_a_hasher_without_codebooks_is_refused(fixture_f: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="hasher=dqn"):
        DQNLoss().setup(fixture_f.train)
