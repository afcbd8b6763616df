from types import SimpleNamespace
from typing import Any

import pytest
import torch

from softhash.losses.dlbhc import DLBHCLoss

CLASSIFIER = [[1.0, -1.0, 0.5, 0.2], [-0.3, 0.8, -0.6, 0.4], [0.1, -0.2, 0.9, -0.7]]


def ready(variant: Any = "multi_label") -> DLBHCLoss:
    """The loss with given weights and no biases."""
    loss = DLBHCLoss(4, 3, variant).double()
    loss.classifier.weight.data[:] = torch.tensor(CLASSIFIER)
    loss.classifier.bias.data[:] = 0
    return loss


def test_images_of_several_labels(fixture_f: SimpleNamespace) -> None:
    z = (2 * fixture_f.relaxed).detach().requires_grad_()

    terms = ready()(z, fixture_f.labels, fixture_f.rows)
    (gradient,) = torch.autograd.grad(terms["classification"], z)

    assert terms["classification"].item() == pytest.approx(0.593864, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([-0.000647, -0.004318, 0.012488, -0.008046], abs=1e-6)


def test_an_image_of_one_class(fixture_f: SimpleNamespace) -> None:
    z = (2 * fixture_f.relaxed)[1:2].detach().requires_grad_()

    terms = ready("single_label")(z, fixture_f.labels[1:2], fixture_f.rows[1:2])
    (gradient,) = torch.autograd.grad(terms["classification"], z)

    assert terms["classification"].item() == pytest.approx(0.534512, abs=1e-6)
    weights = torch.tensor(CLASSIFIER, dtype=torch.float64)
    code = z.detach().sigmoid()
    error = (code @ weights.T).softmax(1) - torch.tensor([[1.0, 0, 0]])
    torch.testing.assert_close(gradient, (error @ weights) * code * (1 - code))


def test_the_classifier_learns_at_its_own_rate() -> None:
    loss = DLBHCLoss(4, 3, classifier_lr_factor=10)

    (group,) = loss.param_groups(0.01)

    assert group["lr"] == pytest.approx(0.1)
    assert [tuple(parameter.shape) for parameter in group["params"]] == [(3, 4), (3,)]


def test_several_classes_are_refused_where_one_is_asked_for(fixture_f: SimpleNamespace) -> None:
    ready().setup(fixture_f.train)

    with pytest.raises(ValueError, match=r"3 of 4 training images have none or several; set loss\.variant"):
        ready("single_label").setup(fixture_f.train)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "softmax"}, "variant must be one of multi_label, single_label, got 'softmax'"),
        ({"num_classes": 0}, "num_classes must be at least 1, got 0"),
        ({"classifier_lr_factor": -1}, "classifier_lr_factor must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DLBHCLoss(**({"bits": 4, "num_classes": 3} | arguments))
