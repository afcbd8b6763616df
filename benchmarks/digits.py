"""The classical methods beside prototypes of them that share no code: ``python -m benchmarks.digits [NAME ...]``.

The prototypes were written in numpy from the same descriptions; their numbers are means and standard deviations over
five seeds on scikit-learn's handwritten digits, and over three on made-up images of several labels.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits, make_multilabel_classification
from sklearn.model_selection import train_test_split

from softhash.functional.codes import pack
from softhash.functional.similarity import cosine, count, share
from softhash.metrics.base import RankingMetric
from softhash.metrics.evaluate import evaluate
from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.normalized_discounted_cumulative_gain import NormalizedDiscountedCumulativeGain
from softhash.ranking.relevance import LabelRelevance
from softhash.shallow.agh import AGH
from softhash.shallow.bre import BRE
from softhash.shallow.cca_itq import CCAITQ
from softhash.shallow.itq import ITQ
from softhash.shallow.ksh import KSH
from softhash.shallow.lsh import LSH
from softhash.shallow.lsmh import LSMH
from softhash.shallow.mlh import MLH
from softhash.shallow.multi_k_means import MultiKMeans
from softhash.shallow.okh import OKH
from softhash.shallow.pca_rr import PCARR
from softhash.shallow.pcah import PCAH
from softhash.shallow.pq import PQ
from softhash.shallow.resh import ReSH
from softhash.shallow.sdh import SDH
from softhash.shallow.sdhr import SDHR
from softhash.shallow.sh import SH
from softhash.shallow.ssh import SSH

Make = Callable[..., Any]
Row = tuple[str, Make, str, str]  # name, estimator of bits, and what the prototype has at 16 and 32 bits

BITS = (16, 32)
DIGITS: list[Row] = [
    ("LSH uncentred", partial(LSH, center=False), ".271±.035", ".362±.037"),
    ("LSH", LSH, ".360±.037", ".476±.014"),
    ("PCAH", PCAH, ".336", ".292"),
    ("PCA-RR", PCARR, ".492±.023", ".545±.011"),
    ("SH", SH, ".373", ".369"),
    ("ITQ", ITQ, ".622±.008", ".649±.007"),
    ("multi-k-means", MultiKMeans, ".427±.020", ".474±.010"),
    ("LSMH", LSMH, ".462±.028", ".521±.013"),
    ("PQ", PQ, ".672", ".660"),
    ("BRE", partial(BRE, num_rows=600), ".525±.015", ".595±.005"),
    ("ReSH", ReSH, ".574±.010", ".589±.014"),
    ("AGH, one layer", partial(AGH, layers=1), ".742±.033", ".587±.018"),
    ("AGH", AGH, ".825±.031", ".835±.013"),
    ("SSH orthogonal", partial(SSH, variant="orthogonal"), ".342", ".271"),
    ("SSH non-orthogonal", partial(SSH, variant="nonorthogonal"), ".566±.007", ".619±.010"),
    ("SSH", SSH, ".651±.016", ".712±.007"),
    ("OKH", OKH, ".504±.009", ".580±.017"),
    ("BRE supervised", partial(BRE, num_rows=600, similarity=share), ".632±.021", ".702±.004"),
    ("MLH, weight decay .0001", partial(MLH, weight_decay=0.0001), ".830±.006", ".884±.002"),
    ("CCA-ITQ", CCAITQ, ".865±.006", ".897±.005"),
    ("KSH, no gradient", partial(KSH, num_labeled=1000, gradient_steps=0), ".929±.012", ".969±.006"),
    ("KSH", partial(KSH, num_labeled=1000), ".956", ".970"),
    ("SDH", SDH, ".986±.003", ".990±.002"),
    ("SDHR", SDHR, ".989±.002", ".991±.004"),
]
MULTI_LABEL: list[Row] = [
    ("LSH", LSH, ".488 / .270", ".499 / .286"),
    ("SH", SH, ".534 / .345", ".513 / .317"),
    ("ITQ", ITQ, ".556 / .368", ".537 / .346"),
    ("AGH", AGH, ".545 / .371", ".539 / .370"),
    ("BRE supervised", partial(BRE, num_rows=600, similarity=share), ".544 / .344", ".571 / .371"),
    ("MLH, weight decay .0001", partial(MLH, weight_decay=0.0001), ".536 / .335", ".545 / .346"),
    ("KSH, no gradient", partial(KSH, num_labeled=1000, gradient_steps=0), ".618", ".637"),
    ("the same, cosine", partial(KSH, num_labeled=1000, gradient_steps=0, similarity=cosine), ".631", ".651"),
    ("the same, count", partial(KSH, num_labeled=1000, gradient_steps=0, similarity=count), ".606", ".629"),
    ("CCA-ITQ", CCAITQ, ".648 / .480", ".679 / .507"),
    ("SDH", SDH, ".696 / .528", ".740 / .548"),
    ("SDHR", SDHR, ".718 / .526", ".761 / .541"),
]

Data = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8], NDArray[np.uint8]]


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    print("mAP on handwritten digits, mean and standard deviation of five seeds\n")
    _table(DIGITS, _digits(), [MeanAveragePrecision()], range(5))
    print("\nmAP / NDCG@100 on made-up images of several labels, means of three seeds\n")
    _table(MULTI_LABEL, _multi_label(), [MeanAveragePrecision(), NormalizedDiscountedCumulativeGain(100)], range(3))


def _digits() -> Data:
    """Training rows, which are the database, and queries; rows of unit length."""
    data = load_digits()
    train, queries, labels, query_labels = train_test_split(
        _unit(data.data), np.eye(10, dtype=np.uint8)[data.target], test_size=300, stratify=data.target, random_state=0
    )
    return train, queries, labels, query_labels


def _multi_label() -> Data:
    """The same of 2,000 images with 2.3 of 10 labels."""
    features, labels = make_multilabel_classification(
        2000, n_features=64, n_classes=10, n_labels=2, allow_unlabeled=False, random_state=0
    )
    features, labels = _unit(features), labels.astype(np.uint8)
    return features[300:], features[:300], labels[300:], labels[:300]


def _unit(features: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.linalg.norm(features, axis=1, keepdims=True)
    return features / lengths


def _table(rows: list[Row], data: Data, metrics: list[RankingMetric], seeds: range) -> None:
    heads = [f"{bits} bits | prototype" for bits in BITS]
    print(f"| method | {' | '.join(heads)} |")
    print("|---|" + "---:|" * 2 * len(BITS))
    for name, make, *prototype in [row for row in rows if not sys.argv[1:] or row[0] in sys.argv[1:]]:
        cells = []
        for bits, known in zip(BITS, prototype, strict=True):
            values = [_values(make, bits, seed, data, metrics) for seed in seeds]
            mean, spread = np.mean(values, axis=0), np.std(values, axis=0, ddof=1)
            shown = [f"{value:.3f}" for value in mean]
            if len(metrics) == 1 and spread[0] > 0:
                shown[0] += f"±{spread[0]:.3f}"
            cells += [" / ".join(shown).replace("0.", "."), known]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _values(make: Make, bits: int, seed: int, data: Data, metrics: list[RankingMetric]) -> list[float]:
    """Of an estimator with a seed, where it has one."""
    train, queries, labels, query_labels = data
    estimator = make(bits=bits)
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=seed)
    estimator.fit(train, labels)
    codes, query = (pack(torch.as_tensor(estimator.transform(rows))) for rows in (train, queries))
    if hasattr(estimator, "tables"):
        query = torch.as_tensor(estimator.tables(queries))
    relevance = LabelRelevance(torch.as_tensor(query_labels), torch.as_tensor(labels))
    found = evaluate(metrics, query, codes, relevance, bits).metrics
    return [found[metric.name].expected for metric in metrics]


if __name__ == "__main__":
    main()
