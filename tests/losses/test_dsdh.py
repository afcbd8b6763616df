from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from softhash.functional.codes import signs
from softhash.losses.dsdh import DSDHLoss, descend, ridge

CODES = [[1, -1, 1, 1], [1, -1, -1, 1], [-1, 1, -1, 1], [1, -1, 1, 1]]
CLASSIFIER = [
    [0.249855, -0.226612, -0.238234],
    [-0.249855, 0.226612, 0.238234],
    [0.000142, 0.464988, -0.011479],
    [0.487947, 0.952793, 0.476325],
]


def ready(fixture_f: SimpleNamespace, **options: object) -> DSDHLoss:
    """The loss at the start of the first epoch."""
    loss = DSDHLoss(**options)  # type: ignore[arg-type]
    loss.setup(fixture_f.train)
    loss.double()
    fixture_f.train.encode = lambda: (None, fixture_f.relaxed.detach())
    loss.on_epoch_start(0, fixture_f.train)
    return loss


def objective(
    u: NDArray[np.float64], bank: NDArray[np.float64], y: NDArray[np.float64], codes: NDArray[np.float64]
) -> float:
    """What the network minimises, as sums over pairs and bits, in plain loops."""
    total = 0.0
    for i, j in product(range(len(u)), range(len(bank))):
        theta = 0.5 * float(u[i] @ bank[j])
        total += np.log(1 + np.exp(theta)) - (theta if y[i] @ y[j] > 0 else 0.0)
    return total + 55 * float(((codes - u) ** 2).sum())


def test_the_classifier_is_the_ridge_regression_of_the_labels(fixture_f: SimpleNamespace) -> None:
    classifier = ridge(signs(fixture_f.relaxed.detach()), fixture_f.labels, penalty=0.1)

    torch.testing.assert_close(classifier, classifier.new_tensor(CLASSIFIER), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("eta", "row", "expected"),
    [(55, 0, [49.523242, -22.023242, 11.465129, 39.940739]), (0.05, 2, [-0.489846, 0.499846, 0.408508, 1.444118])],
)
def test_codes_are_those_of_the_authors_algorithm(
    fixture_f: SimpleNamespace, eta: float, row: int, expected: list[float]
) -> None:
    relaxed, labels = fixture_f.relaxed.detach(), fixture_f.labels
    classifier = ridge(signs(relaxed), labels, penalty=0.1)
    target = eta * relaxed + labels @ classifier.T

    codes = descend(target, classifier)

    assert target[row].tolist() == pytest.approx(expected, abs=1e-5)
    assert codes.tolist() == CODES  # with 0.05, bit 2 of row 2 is -1 although its target is above 0


@pytest.mark.parametrize(("eta", "changing"), [(55, 1), (0.05, 2)])
def test_the_last_sweep_is_the_one_that_changes_nothing(fixture_f: SimpleNamespace, eta: float, changing: int) -> None:
    relaxed, labels = fixture_f.relaxed.detach(), fixture_f.labels
    classifier = ridge(signs(relaxed), labels, penalty=0.1)
    target = eta * relaxed + labels @ classifier.T

    assert descend(target, classifier, changing).tolist() == CODES
    assert descend(target, classifier, changing - 1).tolist() != CODES


def test_no_single_bit_could_be_better() -> None:
    rng = torch.Generator().manual_seed(0)
    target, classifier = torch.randn(20, 6, generator=rng), torch.randn(6, 3, generator=rng)
    codes = descend(target, classifier, sweeps=100)

    def cost(candidate: torch.Tensor) -> torch.Tensor:
        return (candidate @ classifier).square().sum(1) - 2 * (candidate * target).sum(1)

    for bit in range(6):
        flipped = codes.clone()
        flipped[:, bit] *= -1
        assert (cost(flipped) >= cost(codes)).all()


@pytest.mark.parametrize("variant", ["epoch", "batch"])
def test_the_whole_objective_of_the_paper(fixture_f: SimpleNamespace, variant: str) -> None:
    loss = ready(fixture_f, variant=variant)

    terms = loss(fixture_f.relaxed, fixture_f.labels, fixture_f.rows)

    codes = torch.tensor(CODES, dtype=torch.float64)
    classifier = ridge(codes, fixture_f.labels, penalty=0.1)
    constant = (fixture_f.labels - codes @ classifier).square().sum() + 0.1 * classifier.square().sum()
    assert (16 * sum(terms.values()) + constant).item() == pytest.approx(251.479412, abs=1e-5)


@pytest.mark.parametrize("variant", ["epoch", "batch"])
def test_value_and_gradient_of_part_of_the_training_set(fixture_f: SimpleNamespace, variant: str) -> None:
    loss = ready(fixture_f, variant=variant)
    batch = fixture_f.relaxed.detach()[:2].requires_grad_()

    total = sum(loss(batch, fixture_f.labels[:2], fixture_f.rows[:2]).values())
    (gradient,) = torch.autograd.grad(total, batch)

    u, bank, y = batch.detach().numpy(), fixture_f.relaxed.detach().numpy(), fixture_f.labels.numpy()
    step = 1e-6
    expected = np.zeros_like(u)
    for place in np.ndindex(*u.shape):
        above, below = u.copy(), u.copy()
        above[place] += step
        below[place] -= step
        rise = objective(above, bank, y, np.array(CODES[:2])) - objective(below, bank, y, np.array(CODES[:2]))
        expected[place] = rise / (2 * step) / 8  # 2 x 4 pairs
    assert total.item() == pytest.approx(objective(u, bank, y, np.array(CODES[:2])) / 8)
    np.testing.assert_allclose(gradient.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("variant", ["epoch", "batch"])
@pytest.mark.parametrize(
    "labels",
    [
        pytest.param([[1, 0, 0]] * 4, id="identical labels"),
        pytest.param([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], id="no similar pair"),
        pytest.param([[0, 0, 0]] * 2, id="no labels"),
    ],
)
def test_it_is_finite_for_extreme_batches_and_codes(variant: str, labels: list[list[int]]) -> None:
    multi_hot = torch.tensor(labels, dtype=torch.float32)
    relaxed = (torch.randn(len(labels), 64, generator=torch.Generator().manual_seed(0)) * 100).requires_grad_()
    train = SimpleNamespace(labels=multi_hot, bits=64, similarity=None, encode=lambda: (None, relaxed.detach()))
    loss = DSDHLoss(variant)  # type: ignore[arg-type]
    loss.setup(train)
    loss.on_epoch_start(0, train)

    total = sum(loss(relaxed, multi_hot, torch.arange(len(labels))).values())
    (gradient,) = torch.autograd.grad(total, relaxed)

    assert torch.isfinite(total)
    assert torch.isfinite(gradient).all()


def test_codes_and_bank_survive_a_checkpoint(fixture_f: SimpleNamespace) -> None:
    loss, restored = ready(fixture_f), DSDHLoss()
    restored.setup(fixture_f.train)
    restored.double()

    restored.load_state_dict(loss.state_dict())

    assert restored.codes.tolist() == CODES
    torch.testing.assert_close(restored.bank.relaxed, fixture_f.relaxed.detach())


@pytest.mark.parametrize("name", ["classification_weight", "regularization_weight"])
def test_a_ridge_regression_needs_positive_weights(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}.* must be above 0, got"):
        DSDHLoss(**{name: 0.0})  # type: ignore[arg-type]


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="quantization_weight must be at least 0, got -1"):
        DSDHLoss(quantization_weight=-1)


def test_an_unknown_variant_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="one of epoch, batch, got 'official'"):
        DSDHLoss("official")  # type: ignore[arg-type]
