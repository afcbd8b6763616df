from types import SimpleNamespace

import torch

from softhash.heads.centered import Centered


def test_the_mean_over_the_training_set_is_the_threshold_of_codes() -> None:
    head, images = Centered(3, 4), torch.randn(50, 3) + 2
    train = SimpleNamespace(encode=lambda: (images, head.eval()(images).detach()))

    for epoch in range(2):
        head.layer.weight.data += 0.1
        head.on_epoch_end(epoch, train)  # type: ignore[arg-type]

    torch.testing.assert_close(head.eval()(images).mean(0), torch.zeros(4), atol=1e-6, rtol=0)


def test_while_training_nothing_is_subtracted() -> None:
    head, images = Centered(3, 4), torch.randn(50, 3)
    head.mean[:] = 0.5

    torch.testing.assert_close(head.train()(images), torch.tanh(head.layer(images)))
    torch.testing.assert_close(head(images) - 0.5, head.eval()(images))


def test_the_threshold_survives_a_checkpoint() -> None:
    head, restored = Centered(3, 4), Centered(3, 4)
    head.mean[:] = torch.tensor([0.1, 0.2, 0.3, 0.4])

    restored.load_state_dict(head.state_dict())

    assert torch.equal(restored.mean, head.mean)
