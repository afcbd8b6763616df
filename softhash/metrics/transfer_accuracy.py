"""How well a linear classifier learns new classes from codes."""

from types import MappingProxyType

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from softhash.functional.codes import unpack
from softhash.metrics.base import CodeMetric


class TransferAccuracy(CodeMetric):
    """Share of queries whose most likely class, by classifiers learnt from the database's codes, is one of theirs.

    For each class that some but not all images of the database have, a logistic regression on bits as minus and plus
    one; a query's class is that of the largest logit. With the protocol ``transfer`` these are classes that the hasher
    has never seen.

    Source: the second protocol of Sablayrolles, Douze, Usunier and Jegou, How should we evaluate supervised hashing?,
    ICASSP 2017.
    Differs: one classifier against the rest per class, since images may have several; theirs have one label each, for
    which this is the accuracy.

    Args:
        inverse_regularization: C of the logistic regressions.
    """

    def __init__(self, inverse_regularization: float = 1.0) -> None:
        self.name = "transfer accuracy"
        self.inverse_regularization = inverse_regularization
        self.conventions = MappingProxyType({"inverse_regularization": str(inverse_regularization)})

    def score(
        self, query_codes: Tensor, query_labels: Tensor, database_codes: Tensor, database_labels: Tensor, bits: int
    ) -> Tensor:
        """1 where the most likely class is right, else 0.

        Raises:
            ValueError: No class is there to learn.
        """
        query, database = (unpack(codes, bits).cpu().numpy() * 2.0 - 1 for codes in (query_codes, database_codes))
        counts = database_labels.sum(0, dtype=torch.int64)
        learnt = torch.nonzero((counts > 0) & (counts < len(database_labels))).flatten().tolist()
        if not learnt:
            msg = f"{self.name} needs a class that some but not all of the {len(database_labels)} database images have"
            raise ValueError(msg)
        logits = [self._logits(database, database_labels[:, column].cpu().numpy(), query) for column in learnt]
        likeliest = torch.tensor(learnt)[np.argmax(logits, axis=0)]
        return query_labels.cpu().gather(1, likeliest[:, None])[:, 0].double()

    def _logits(self, codes: np.ndarray, labels: np.ndarray, query: np.ndarray) -> np.ndarray:
        classifier = LogisticRegression(C=self.inverse_regularization, max_iter=1000)
        logits: np.ndarray = classifier.fit(codes, labels).decision_function(query)
        return logits
