"""Every metric of a run, from the codes on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from softhash.metrics.base import CodeMetric, TallyMetric, mean, refuse_without_labels
from softhash.metrics.evaluate import evaluate
from softhash.ranking.relevance import LabelRelevance, Relevance
from softhash.runs.folder import Arrays, Result, Run, Scores
from softhash.types import Codes

Metrics = Sequence[TallyMetric | CodeMetric]


@dataclass(frozen=True)
class Measures:
    """What codes are worth, on average and by query.

    Attributes:
        result: Scores of all methods.
        per_query: ``(Q,)`` expected scores of each query, by ``method/metric``.
        curves: By ``method/curve``; see :class:`softhash.metrics.evaluate.Evaluation`.
    """

    result: Result
    per_query: Arrays
    curves: Arrays

    def write(self, run: Run) -> None:
        """Write them into the run folder; the result last, as it says that a run is measured."""
        run.write_per_query(self.per_query)
        run.write_curves(self.curves)
        run.write_result(self.result)


def measure(run: Run, metrics: Metrics) -> Measures:
    """Evaluate the codes of every method of a run.

    What was measured before and is not among ``metrics`` is kept.

    Args:
        run: A run that has encoded queries and database.
        metrics: The metrics.

    Raises:
        ValueError: A metric needs labels, and the run has similarities; or a cut-off is beyond the database.
    """
    refuse(metrics, run.relevance)
    before = run.result()
    scores, per_query = dict(before.scores), run.per_query()
    curves: Arrays = {}
    without_relevant = 0
    for method in before.record.methods:
        values, by_query, by_name, without_relevant = _evaluate(metrics, run.codes(method.name), run.relevance)
        scores[method.name] = scores.get(method.name, {}) | values
        per_query |= {f"{method.name}/{name}": array for name, array in by_query.items()}
        curves |= {f"{method.name}/{name}": array for name, array in by_name.items()}
    conventions = before.conventions | {metric.name: dict(metric.conventions) for metric in metrics}
    return Measures(Result(before.record, scores, conventions, without_relevant), per_query, curves)


def refuse(metrics: Metrics, relevance: Relevance) -> None:
    """Refuse what could not be measured in the end.

    Raises:
        ValueError: A cut-off is beyond the database, or a metric needs labels that the data do not have.
    """
    if not relevance.class_names:
        refuse_without_labels(metrics)
    for metric in metrics:
        if not isinstance(metric, CodeMetric):
            metric.check_size(relevance.shape[1])


def _evaluate(
    metrics: Metrics, codes: Codes, relevance: Relevance
) -> tuple[Scores, Mapping[str, NDArray[Any]], Mapping[str, NDArray[Any]], int]:
    """Scores, scores by query, curves, and the number of queries without relevant items."""
    rankings = [metric for metric in metrics if isinstance(metric, TallyMetric)]
    evaluation = evaluate(rankings, codes.query, codes.database, relevance, codes.bits)
    values = {
        name: {"expected": m.expected, "worst": m.worst, "best": m.best} for name, m in evaluation.measures.items()
    }
    per_query = {name: m.per_query.numpy() for name, m in evaluation.measures.items()}
    for metric in metrics:
        if isinstance(metric, CodeMetric) and isinstance(relevance, LabelRelevance):
            labels = relevance.query_labels, relevance.database_labels
            by_query = metric.values(codes.query, labels[0], codes.database, labels[1], codes.bits)
            values[metric.name] = dict.fromkeys(("expected", "worst", "best"), mean(by_query))
            per_query[metric.name] = by_query.numpy()
    names = ("pairs", "empty_balls", "radius_precision", "radius_recall", "ranks", "rank_precision")
    curves = {name: getattr(evaluation, name).numpy() for name in names}
    return values, per_query, curves, evaluation.queries_without_relevant
