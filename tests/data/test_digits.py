from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torchvision.transforms.v2 import RandomAffine

from softhash.data.digits import DigitsDataModule, compose


def module(seed: int = 0, **changes: Any) -> DigitsDataModule:
    sizes = {"num_train": 300, "num_validation": 50, "num_query": 40, "num_database": 200}
    others = {"augment": nn.Identity(), "num_classes": 10, "batch_size": 16, "num_workers": 0, "seed": seed}
    data = DigitsDataModule(**(sizes | others | changes))
    data.setup()
    return data


def cells(images: torch.Tensor) -> set[bytes]:
    """The digits of all mosaics, but for empty cells."""
    parts = images.reshape(-1, 2, 8, 2, 8).permute(0, 1, 3, 2, 4).reshape(-1, 64)
    return {part.numpy().tobytes() for part in parts if part.any()}


def test_labels_are_the_digits_that_are_in_the_cells() -> None:
    pixels = np.arange(1, 6, dtype=np.uint8)[:, None, None] * np.ones(
        (5, 8, 8), dtype=np.uint8
    )  # digit s has value s + 1
    targets = np.array([7, 7, 3, 0, 9])

    images, labels = compose(pixels, targets, 200, np.random.default_rng(0))

    for image, label in zip(images, labels, strict=True):
        corners = {int(value) for value in image[0, ::8, ::8].flatten() if value > 0}
        assert set(label.nonzero().flatten().tolist()) == {int(targets[value - 1]) for value in corners}


def test_mosaics_have_one_to_four_digits_and_two_and_a_quarter_labels() -> None:
    _, labels = compose(np.ones((50, 8, 8), dtype=np.uint8), np.arange(50) % 10, 20_000, np.random.default_rng(0))

    counts = labels.sum(1)
    assert set(counts.tolist()) == {1, 2, 3, 4}
    # One to four draws out of ten digits: on average 1, 1.9, 2.71 and 3.439 different ones.
    assert counts.float().mean().item() == pytest.approx(2.26, abs=0.03)


def test_no_handwritten_digit_is_in_two_sets() -> None:
    data = module()
    found = [cells(split.images[split.places]) for split in data.sets.values()]
    duplicates = 1797 - len({image.tobytes() for image in load_digits().images})

    for i, first in enumerate(found):
        for second in found[i + 1 :]:
            assert len(first & second) <= duplicates


def test_equal_seeds_give_equal_mosaics_and_others_do_not() -> None:
    assert module(seed=1).checksum() == module(seed=1).checksum()
    assert module(seed=1).checksum() != module(seed=2).checksum()


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the query split .* is empty"):
        module(num_query=0)


def test_training_order_depends_on_seed_and_epoch_alone() -> None:
    data = module()
    loader, again = data.train_dataloader(), data.train_dataloader()

    def order(of: object, epoch: int) -> list[int]:
        of.sampler.set_epoch(epoch)
        return torch.cat([batch.rows for batch in of]).tolist()

    first = order(loader, epoch=3)
    torch.rand(5)
    assert order(again, epoch=3) == first
    assert order(loader, epoch=4) != first
    assert sorted(first) == list(range(300))


def test_a_last_batch_of_one_image_is_left_out() -> None:
    data = module(num_train=33)

    sizes = [len(batch.rows) for batch in data.train_dataloader()]

    assert sizes == [16, 16]


def test_a_resumed_run_goes_on_with_the_order_of_its_epoch() -> None:
    whole, resumed = module().train_dataloader(), module()
    whole.sampler.set_epoch(3)
    expected = torch.cat([batch.rows for batch in whole])

    resumed.load_state_dict({"epoch": 3})

    torch.testing.assert_close(torch.cat([batch.rows for batch in resumed.train_dataloader()]), expected)


def test_an_epoch_draws_the_same_augmentation_whatever_was_drawn_before() -> None:
    draws = []
    for _ in range(2):
        torch.rand(7)
        iterator = iter(module().train_dataloader())
        next(iterator)
        draws.append(torch.rand(3))

    torch.testing.assert_close(draws[0], draws[1], rtol=0, atol=0)


@pytest.mark.slow
def test_images_are_augmented_alike_in_any_number_of_loading_processes() -> None:
    shift = RandomAffine(0, translate=[0.3, 0.3])

    def images(num_workers: int) -> torch.Tensor:
        loader = module(num_workers=num_workers, augment=shift).train_dataloader()
        batches = []
        for epoch in range(2):
            loader.sampler.set_epoch(epoch)
            batches += [batch.inputs for batch in loader]
        return torch.cat(batches)

    alone = images(0)

    torch.testing.assert_close(images(2), alone, rtol=0, atol=0)
    assert not torch.equal(alone[:300].sort(0).values, alone[300:].sort(0).values)  # the epochs differ


def test_half_the_words_of_digits_that_are_present_are_tags_and_few_others() -> None:
    data = module(num_train=2000)

    batch = data.sets["train"].__getitems__(range(2000))

    right = batch.labels.repeat_interleave(3, dim=1) > 0
    assert batch.tags.shape == (2000, 30)
    assert abs(batch.tags[right].mean().item() - 0.5) < 0.02
    assert abs(batch.tags[~right].mean().item() - 0.05) < 0.01
