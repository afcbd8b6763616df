"""Codes of estimators on the features that a method starts from, computed once for equal features."""

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from softhash.data.base import RetrievalDataModule
from softhash.data.features import FeatureDataModule
from softhash.hashers.shallow import ShallowEncoder
from softhash.runs.folder import read_arrays, rows_with_relaxed, write_arrays
from softhash.storage.cache import digest
from softhash.types import Batch, Codes


def baseline_codes(
    encoder: ShallowEncoder, data: RetrievalDataModule, cache_dir: str, device: torch.device | str = "cpu"
) -> Codes:
    """Fit an estimator on the training set, and encode queries and database, unless that is on disk already.

    One process does it, without a trainer: the others of a training are not started yet, or wait for it.

    Args:
        encoder: Backbone, which is not trained, and an estimator that is not fitted yet.
        data: Set up.
        cache_dir: Folder for caches; the codes lie in ``baselines/<key>.npz``, where the key is a hash of the features,
            the sets and the estimator.
        device: Where the backbone computes.
    """
    path = Path(cache_dir).expanduser() / "baselines" / f"{_key(encoder, data, cache_dir)}.npz"
    try:
        stored = {name: torch.from_numpy(array) for name, array in read_arrays(path).items()}
        codes = Codes(stored["query"], stored["database"], int(stored["bits"]), stored["relaxed"])
        return codes._replace(relaxed_rows=stored.get("relaxed_rows"))
    except (FileNotFoundError, ValueError, KeyError):  # absent or damaged
        codes = _computed(encoder, data, device)
        write_arrays(path, **{name: torch.as_tensor(value).numpy() for name, value in codes._asdict().items()})
        return codes


@torch.no_grad()
def _computed(encoder: ShallowEncoder, data: RetrievalDataModule, device: torch.device | str) -> Codes:
    training = encoder.training
    encoder.to(device).eval()
    features = _over(data.predict_dataloader(), lambda batch: encoder.features(batch.inputs.to(device)).float())
    encoder.head.estimator.fit(features.numpy(), data.sets["train"].labels.numpy())
    queries, database = data.test_dataloader()
    query = _over(queries, lambda batch: encoder(batch.inputs.to(device)).query)
    rows = rows_with_relaxed(len(data.sets["database"]))
    items, relaxed = [], []
    for batch in database:
        codes: Codes = encoder(batch.inputs.to(device))
        items.append(codes.database.cpu())
        relaxed.append(codes.relaxed[torch.isin(batch.rows, rows)].cpu())
    encoder.train(training)
    return Codes(query, torch.cat(items), encoder.bits, torch.cat(relaxed), rows)


def _over(loader: Iterable[Batch], function: Callable[[Batch], Tensor]) -> Tensor:
    return torch.cat([function(batch).cpu() for batch in loader])


def _key(encoder: ShallowEncoder, data: RetrievalDataModule, cache_dir: str) -> str:
    """Hash of all that the codes depend on: the features of all images, which are in which set, and the estimator."""
    features = data if isinstance(data, FeatureDataModule) else FeatureDataModule(data, encoder.backbone, cache_dir)
    estimator: Any = encoder.head.estimator
    settings = repr(sorted(vars(estimator).items()))
    return digest(features.cache.folder.name, data.checksum(), settings, inspect.getsource(type(estimator)))
