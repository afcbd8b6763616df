"""What every metric keeps, found by its config: a new one is tested without an edit here."""

import inspect
from functools import cache
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig
from torch import Tensor

from softhash.functional.codes import pack
from softhash.metrics.base import CodeMetric, RankingMetric
from softhash.metrics.evaluate import evaluate
from softhash.ranking.ranking import ORDERS, Ranking
from softhash.ranking.relevance import LabelRelevance

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "metric").glob("*.yaml"))
BITS, LARGEST = 12, 3  # the largest number of shared labels


@cache
def composed(name: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("evaluate", [f"metric=[{name}]", "run=.", "top_k=1000"])
    (node,) = config.metric.values()
    return node


def made(name: str, top_k: int) -> RankingMetric | CodeMetric:
    """The metric of a config, with its cut-off, if it has one, set to ``top_k``."""
    has_cut = composed(name).get("top_k") is not None
    metric: RankingMetric | CodeMetric = instantiate(composed(name), **({"top_k": top_k} if has_cut else {}))
    return metric


def is_on_rankings(name: str) -> bool:
    return issubclass(get_class(stored(name)["_target_"]), RankingMetric)


def stored(name: str) -> dict[str, Any]:
    content = yaml.safe_load((CONF / "metric" / f"{name}.yaml").read_text())
    assert list(content) == [name]
    config: dict[str, Any] = content[name]
    return config


ON_RANKINGS = [name for name in NAMES if is_on_rankings(name)]
# In another order of ties, the items of a Hamming ball are others.
IN_ANY_ORDER = [name for name in ON_RANKINGS if not get_class(stored(name)["_target_"]).needs_distances]


def on_rankings(name: str, top_k: int) -> RankingMetric:
    metric = made(name, top_k)
    assert isinstance(metric, RankingMetric)
    return metric


def counts(seed: int, num_query: int = 9, num_items: int = 40) -> Tensor:
    """Items by distance and number of shared labels, with ties of all sizes, also empty distances."""
    rng = np.random.default_rng(seed)
    found = torch.zeros(num_query, BITS + 1, LARGEST + 1, dtype=torch.int64)
    for query in range(num_query):
        distances = rng.choice(BITS + 1, 5)[rng.integers(5, size=num_items)]
        np.add.at(found[query].numpy(), (distances, rng.integers(LARGEST + 1, size=num_items)), 1)
    return found


def problem() -> tuple[Tensor, Tensor, LabelRelevance]:
    rng = torch.Generator().manual_seed(0)
    query, database = (pack(torch.randn(n, BITS, generator=rng)) for n in (20, 80))
    labels = [(torch.rand(n, 4, generator=rng) < 0.4).to(torch.uint8) for n in (20, 80)]
    return query, database, LabelRelevance(*labels)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_line_of_a_config_says_what_it_is(name: str) -> None:
    assert (CONF / "metric" / f"{name}.yaml").read_text().startswith("# ")


@pytest.mark.parametrize("name", NAMES)
def test_the_keys_of_a_metric_are_the_arguments_of_its_class(name: str) -> None:
    config = stored(name)

    assert set(config) - {"_target_"} == set(inspect.signature(get_class(config["_target_"])).parameters)


def test_no_two_metrics_have_one_name() -> None:
    names = [made(name, 7).name for name in NAMES]

    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("name", NAMES)
def test_its_conventions_are_plain_values_and_hold_its_cut_off(name: str) -> None:
    metric = made(name, 7)

    assert all(value is None or type(value) in (str, int) for value in metric.conventions.values())
    if isinstance(metric, RankingMetric):
        assert metric.conventions["top_k"] == metric.top_k


@pytest.mark.parametrize("name", NAMES)
def test_it_evaluates_codes(name: str) -> None:
    query, database, relevance = problem()

    found = evaluate([made(name, 7)], query, database, relevance, BITS)

    ((metric, value),) = found.values().items()
    assert metric == made(name, 7).name
    assert 0 <= value["worst"] <= value["expected"] <= value["best"] <= LARGEST + 1
    assert found.per_query()[metric].shape == (20,)
    assert found.per_query()[metric].mean() == pytest.approx(value["expected"])


@pytest.mark.parametrize("name", ON_RANKINGS)
def test_nothing_is_better_than_a_perfect_ranking(name: str) -> None:
    perfect = torch.zeros(1, BITS + 1, LARGEST + 1, dtype=torch.int64)
    perfect[0, 0, LARGEST] = perfect[0, 1, 1] = perfect[0, 5, 0] = 7  # the most relevant items are the nearest
    metric = on_rankings(name, 7)

    value = metric.score(Ranking.of_counts(perfect)).item()

    others = perfect.clone()
    others[0, [0, 5]] = others[0, [5, 0]]
    assert value == pytest.approx(metric.score(Ranking.of_counts(perfect), "worst").item())
    assert 0 <= metric.score(Ranking.of_counts(others)).item() < value <= LARGEST


@pytest.mark.parametrize("name", ON_RANKINGS)
def test_a_query_with_nothing_to_find_scores_zero(name: str) -> None:
    nothing = torch.zeros(1, BITS + 1, LARGEST + 1, dtype=torch.int64)
    nothing[0, :, 0] = 3

    scores = [on_rankings(name, 7).score(Ranking.of_counts(nothing), order).item() for order in ORDERS]

    assert scores == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", ON_RANKINGS)
def test_the_expected_score_is_between_the_worst_and_the_best(name: str) -> None:
    for top_k in (1, 7, 40):
        metric = on_rankings(name, top_k)
        ranking = Ranking.of_counts(torch.cat([counts(seed) for seed in range(5)]))

        expected, worst, best = (metric.score(ranking, order) for order in ORDERS)

        assert expected.dtype == torch.float64
        assert expected.shape == (45,)
        assert bool((worst <= expected + 1e-12).all())
        assert bool((expected <= best + 1e-12).all())


# Shared labels of the items at each distance: small ties, all of whose orders can be looked at.
TIES = [
    [[0, 2, 1], [1], [], [0, 3]],
    [[0, 0], [1, 2], [0, 1]],
    [[3], [0, 0, 1, 2]],
    [[1, 1, 0], [2, 0]],
]


@pytest.mark.parametrize("name", IN_ANY_ORDER)
@pytest.mark.parametrize("ties", TIES)
def test_expected_worst_and_best_are_those_of_the_orders_of_ties(name: str, ties: list[list[int]]) -> None:
    size = sum(map(len, ties))
    tied = torch.zeros(1, len(ties), LARGEST + 1, dtype=torch.int64)
    for distance, grades in enumerate(ties):
        for grade in grades:
            tied[0, distance, grade] += 1
    for top_k in range(1, size + 1):
        metric = on_rankings(name, top_k)
        orders = []
        for parts in product(*(permutations(grades) for grades in ties)):
            alone = torch.zeros(1, size, LARGEST + 1, dtype=torch.int64)
            alone[0, torch.arange(size), torch.tensor([grade for part in parts for grade in part])] = 1
            orders.append(alone)
        scores = metric.score(Ranking.of_counts(torch.cat(orders)))

        actual = [metric.score(Ranking.of_counts(tied), order).item() for order in ORDERS]

        wanted = [scores.mean().item(), scores.min().item(), scores.max().item()]
        assert actual == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("name", ON_RANKINGS)
def test_queries_in_batches_measure_like_all_at_once_to_the_last_digit(name: str) -> None:
    rankings = counts(0)
    batches, whole = on_rankings(name, 7), on_rankings(name, 7)

    for part in rankings.split(2):
        batches.update(Ranking.of_counts(part))
    whole.update(Ranking.of_counts(rankings))

    assert batches.compute().item() == whole.compute().item() == whole.mean(whole.scores(Ranking.of_counts(rankings)))


@pytest.mark.parametrize("name", ON_RANKINGS)
def test_forgetting_the_queries_is_beginning_anew(name: str) -> None:
    metric, other = on_rankings(name, 7), on_rankings(name, 7)
    metric.update(Ranking.of_counts(counts(1)))
    metric.reset()

    metric.update(Ranking.of_counts(counts(2)))
    other.update(Ranking.of_counts(counts(2)))

    assert metric.compute().item() == other.compute().item()
