from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from softhash.losses.adsh import ADSHLoss, fit_codes

CODES = [[1.0, -1, 1, 1], [1, -1, -1, 1], [-1, 1, -1, 1], [1, -1, 1, 1], [-1, -1, 1, -1]]
FITTED = [[1.0, -1, 1, 1], [1, -1, 1, -1], [-1, 1, -1, 1], [-1, 1, -1, 1], [-1, 1, -1, -1]]
TARGETS = [[1.0, 1, 1, 1, -4], [1, -4, 1, 1, 1]]  # 8 pairs are similar and 2 are not, so r = 4
SAMPLE = torch.tensor([0, 2])


def ready(fixture_f: SimpleNamespace, **options: Any) -> ADSHLoss:
    """The loss with five training images, of which two are in the sample."""
    loss = ADSHLoss(num_samples=2, **options)
    labels = torch.cat([fixture_f.labels, torch.tensor([[0.0, 0, 1]])])
    loss.setup(SimpleNamespace(labels=labels, bits=4, similarity=None))
    loss.double()
    loss.sample = lambda _: SAMPLE  # type: ignore[method-assign]
    loss.codes[:] = torch.tensor(CODES)
    loss.ratio.fill_(4)
    return loss


def training_set(relaxed: torch.Tensor) -> SimpleNamespace:
    return SimpleNamespace(encode=lambda rows=None: (None, relaxed if rows is None else relaxed[rows]))


def objective(u: NDArray[np.float64], v: NDArray[np.float64]) -> float:
    """J of the paper, in plain loops."""
    pairs = sum((float(u[i] @ v[j]) - 4 * TARGETS[i][j]) ** 2 for i, j in product(range(2), range(5)))
    return pairs + 200 * sum(float(((v[row] - u[i]) ** 2).sum()) for i, row in enumerate(SAMPLE.tolist()))


def test_value_and_gradient_of_the_authors_code(fixture_f: SimpleNamespace) -> None:
    relaxed = fixture_f.relaxed.detach()[SAMPLE].requires_grad_()

    total = sum(ready(fixture_f)(relaxed, fixture_f.labels[SAMPLE], SAMPLE).values())
    (gradient,) = torch.autograd.grad(total, relaxed)

    assert 10 * total.item() == pytest.approx(1002.36, abs=1e-6)
    assert 10 * total.item() == pytest.approx(objective(relaxed.detach().numpy(), np.array(CODES)))
    assert gradient[0].tolist() == pytest.approx([-7.2, 21.2, -28.32, -17.12], abs=1e-6)
    step, u = 1e-5, relaxed.detach().numpy()
    for place in np.ndindex(2, 4):
        above, below = u.copy(), u.copy()
        above[place] += step
        below[place] -= step
        slope = (objective(above, np.array(CODES)) - objective(below, np.array(CODES))) / (2 * step) / 10
        assert gradient[place].item() == pytest.approx(slope, abs=1e-5)


def test_the_ratio_of_similar_pairs_is_that_of_the_sample_and_all_images(fixture_f: SimpleNamespace) -> None:
    loss = ready(fixture_f)
    loss.ratio.fill_(0)

    loss.on_epoch_start(3, training_set(fixture_f.relaxed.detach()))

    assert loss.ratio.item() == 4


def test_codes_are_fitted_one_bit_after_the_other_after_the_last_epoch_on_a_sample(fixture_f: SimpleNamespace) -> None:
    loss, relaxed = ready(fixture_f), fixture_f.relaxed.detach()

    for epoch in (0, 1):
        loss.on_epoch_end(epoch, training_set(relaxed))
        assert loss.codes.tolist() == CODES
    loss.on_epoch_end(2, training_set(relaxed))

    assert loss.codes.tolist() == FITTED
    assert objective(relaxed[SAMPLE].numpy(), np.array(FITTED)) == pytest.approx(866.56)


def test_fitting_never_makes_the_objective_larger() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        u, v = np.tanh(rng.standard_normal((2, 4))), np.sign(rng.standard_normal((5, 4)))
        agreement = torch.from_numpy(np.array(TARGETS).T @ u)

        fitted = fit_codes(torch.from_numpy(v), torch.from_numpy(u), SAMPLE, agreement, 200.0)

        assert set(fitted.flatten().tolist()) <= {-1.0, 1.0}
        assert objective(u, fitted.numpy()) <= objective(u, v) + 1e-9


def test_first_codes_and_a_sample_for_every_three_epochs_belong_to_the_seed() -> None:
    first, second, other = (ADSHLoss(num_samples=10, seed=seed) for seed in (1, 1, 2))
    for loss in (first, second, other):
        loss.setup(SimpleNamespace(labels=torch.eye(50), bits=4, similarity=None))

    samples = [first.sample(epoch).tolist() for epoch in range(4)]

    assert samples[0] == samples[1] == samples[2] == second.sample(2).tolist()
    assert samples[3] != samples[2] != other.sample(2).tolist()
    assert torch.equal(first.codes, second.codes)
    assert not torch.equal(first.codes, other.codes)
    assert all(sample == sorted(set(sample)) and len(sample) == 10 for sample in samples)


def test_a_training_set_below_the_size_of_a_sample_is_taken_whole() -> None:
    loss = ADSHLoss()
    loss.setup(SimpleNamespace(labels=torch.eye(5), bits=4, similarity=None))

    assert loss.sample(0).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param([[1, 0, 0]] * 4, id="identical labels"),
        pytest.param([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], id="no similar pair"),
        pytest.param([[0, 0, 0]] * 2, id="no labels"),
    ],
)
def test_it_is_finite_for_extreme_batches(labels: list[list[int]]) -> None:
    multi_hot, rows = torch.tensor(labels, dtype=torch.float32), torch.arange(len(labels))
    relaxed = torch.ones(len(labels), 64).requires_grad_()
    loss = ADSHLoss(epochs_per_sample=1)
    loss.setup(SimpleNamespace(labels=multi_hot, bits=64, similarity=None))
    loss.on_epoch_start(0, training_set(relaxed.detach()))

    total = sum(loss(relaxed, multi_hot, rows).values())
    (gradient,) = torch.autograd.grad(total, relaxed)
    loss.on_epoch_end(0, training_set(relaxed.detach()))

    assert torch.isfinite(total)
    assert torch.isfinite(gradient).all()
    assert loss.codes.abs().eq(1).all()


def test_codes_and_ratio_survive_a_checkpoint(fixture_f: SimpleNamespace) -> None:
    loss, restored = ready(fixture_f), ready(fixture_f)
    restored.codes.zero_()
    restored.ratio.zero_()

    restored.load_state_dict(loss.state_dict())

    assert restored.codes.tolist() == CODES
    assert restored.ratio.item() == 4


@pytest.mark.parametrize("name", ["num_samples", "epochs_per_sample", "quantization_weight"])
def test_a_value_that_is_too_small_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least [01], got -1"):
        ADSHLoss(**{name: -1})  # type: ignore[arg-type]
