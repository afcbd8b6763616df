"""Every metric of a run, from the codes on disk."""

from collections.abc import Sequence
from dataclasses import dataclass

from softhash.metrics.base import CodeMetric, RankingMetric, refuse_without_labels
from softhash.metrics.evaluate import evaluate
from softhash.ranking.relevance import Relevance
from softhash.runs.folder import Arrays, Result, Run

Metrics = Sequence[RankingMetric | CodeMetric]


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
        codes = run.codes(method.name)
        evaluation = evaluate(metrics, codes.query, codes.database, run.relevance, codes.bits)
        scores[method.name] = scores.get(method.name, {}) | evaluation.values()
        per_query |= {f"{method.name}/{name}": by_query for name, by_query in evaluation.per_query().items()}
        curves |= {f"{method.name}/{name}": curve for name, curve in evaluation.curves().items()}
        without_relevant = evaluation.queries_without_relevant
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
        if isinstance(metric, RankingMetric):
            metric.check_size(relevance.shape[1])
