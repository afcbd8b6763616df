"""A hasher whose database images have codes of their own where they were trained on."""

import torch
from torch import Tensor

from softhash.functional.codes import pack
from softhash.hashers.deep import DeepHasher
from softhash.losses.adsh import ADSHLoss
from softhash.types import Batch, Codes


class ADSHHasher(DeepHasher):
    """The network gives the codes of queries; images of the database that are training images have learnt ones.

    A learnt code has been computed from the labels of its image, so the results of the first method, ``NAME``, are
    comparable only with those of others that have seen the labels of the database. The second, ``NAME-network``,
    has codes of the network on both sides. The two are the same where no training image is in the database.
    """

    loss: ADSHLoss
    _training_rows: Tensor  # (N,) of the database images in the training set, -1 where they are not there

    @property
    def methods(self) -> list[str]:
        """With learnt codes in the database, and without."""
        return [self.name, f"{self.name}-network"]

    def codes(self, batch: Batch, split: str) -> dict[str, Codes]:
        """Codes of a batch, by method."""
        network: Codes = self.encoder(batch.inputs)
        learnt = network
        if split == "database":
            rows = self._training_rows[batch.rows]
            relaxed = torch.where(rows[:, None] < 0, network.relaxed, self.loss.codes[rows])
            learnt = network._replace(database=pack(relaxed), relaxed=relaxed)
        return dict(zip(self.methods, (learnt, network), strict=True))

    def on_test_start(self) -> None:
        """Find the training images in the database by their ids."""
        sets = self.trainer.datamodule.sets  # type: ignore[attr-defined]
        rows = {name: row for row, name in enumerate(sets["train"].ids.tolist())}
        found = [rows.get(name, -1) for name in sets["database"].ids.tolist()]
        self._training_rows = torch.tensor(found, device=self.device)
