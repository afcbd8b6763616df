from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from softhash.backbones.features import Features
from softhash.data.base import RetrievalDataModule, Split, TensorSplit
from softhash.functional.codes import pack
from softhash.functional.schedules import constant
from softhash.hashers.dcmh import DCMHHasher
from softhash.hashers.encoder import Encoder
from softhash.losses.dcmh import DCMHLoss
from softhash.runs.folder import Run
from softhash.types import Batch

CONF = Path(__file__).parents[2] / "conf"


class Tagged(RetrievalDataModule):
    """Vectors in place of images, each with five tags."""

    class_names = ["only"]

    def load(self) -> dict[str, Split]:
        rng = np.random.default_rng(0)
        self.tags = rng.integers(2, size=(10, 5), dtype=np.uint8)
        vectors, sets = torch.from_numpy(rng.normal(size=(10, 3)).astype(np.float32)), {}
        for split, places in (("train", range(5)), ("validation", [5, 6]), ("query", [7]), ("database", [8, 9])):
            ids, labels = np.array([str(place) for place in places]), torch.ones(len(places), 1, dtype=torch.uint8)
            sets[split] = TensorSplit(ids, labels, np.array(places), vectors, nn.Identity())
        return sets


def tagged() -> Tagged:
    return Tagged(num_classes=1, batch_size=2, num_workers=0, seed=0)


def hasher(num_tags: int = 5) -> DCMHHasher:
    torch.manual_seed(0)
    head = partial(nn.Linear, out_features=8)
    return DCMHHasher(
        name="dcmh",
        encoder=Encoder(8, Features(3), head),
        text_encoder=Encoder(8, Features(num_tags), head),
        loss=DCMHLoss(),
        optimizer=partial(torch.optim.SGD, lr=0.1),
        scheduler=constant,
    )


def trainer(epochs: int, **options: Any) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, **options,
    )  # fmt: skip


def test_queries_are_of_one_modality_and_the_database_of_the_other() -> None:
    model, rng = hasher(), torch.Generator().manual_seed(0)
    batch = Batch(
        torch.randn(4, 3, generator=rng), torch.ones(4, 1), torch.arange(4), torch.randint(2, (4, 5), generator=rng).float()
    )  # fmt: skip
    images, texts = model.encoder.head(batch.inputs), model.text_encoder.head(batch.tags)

    codes = model.codes(batch, "query")

    assert list(codes) == model.methods == ["dcmh-i2t", "dcmh-t2i", "dcmh-i2i"]
    for of_method, (query, database) in zip(
        codes.values(), [(images, texts), (texts, images), (images, images)], strict=True
    ):
        torch.testing.assert_close(of_method.query, pack(query), rtol=0, atol=0)
        torch.testing.assert_close(of_method.database, pack(database), rtol=0, atol=0)
        torch.testing.assert_close(of_method.relaxed, database, rtol=0, atol=0)


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    whole, first, second = hasher(), hasher(), hasher()
    trainer(4).fit(whole, tagged())
    before = trainer(2)
    before.fit(first, tagged())
    before.save_checkpoint(tmp_path / "last.ckpt")

    trainer(4).fit(second, tagged(), ckpt_path=tmp_path / "last.ckpt", weights_only=True)

    state = second.state_dict()
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(state[name], value, rtol=0, atol=0)


def test_the_loss_is_computed_in_float32_whatever_the_networks_use() -> None:
    model, dtypes = hasher(), []
    model.loss.register_forward_hook(
        lambda _, given, terms: dtypes.extend([given[0].dtype, given[3].dtype, *(term.dtype for term in terms.values())])
    )  # fmt: skip

    trainer(1, precision="bf16-mixed").fit(model, tagged())

    assert set(dtypes) == {torch.float32}


def test_data_without_tags_or_with_others_are_refused() -> None:
    data = tagged()
    data.setup()

    with pytest.raises(ValueError, match="this data set has 5 tags, num_tags is 7; set num_tags=5"):
        hasher(num_tags=7).check(data)
    data.tags = None
    with pytest.raises(ValueError, match=r"method=dcmh learns from images and their tags.*\n.*data\.tags=FILE\.npy"):
        hasher().check(data)


def test_a_run_folder_gives_both_encoders(tmp_path: Path) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["method=dcmh", "names.method=dcmh", "names.data=digits", "bits=12"])
    model, run = instantiate(config.hasher).eval(), Run(tmp_path)
    checkpoints = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    checkpoints.strategy.connect(model)
    checkpoints.save_checkpoint(run.best)
    parts = {name: OmegaConf.to_container(config[name], resolve=True) for name in ("encoder", "text_encoder")}
    run.write_config(OmegaConf.to_yaml(parts))
    images, tags = torch.randint(256, (5, 1, 16, 16), dtype=torch.uint8), torch.randint(2, (5, 30)).float()

    image_codes, text_codes = run.encoder()(images), run.encoder("text_encoder")(tags)

    batch = Batch(images, torch.ones(5, 1), torch.arange(5), tags)
    expected = model.codes(batch, "query")["dcmh-i2t"]
    torch.testing.assert_close(image_codes.query, expected.query, rtol=0, atol=0)
    torch.testing.assert_close(text_codes.database, expected.database, rtol=0, atol=0)
