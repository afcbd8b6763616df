import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from softhash.storage.cache import ArrayCache

Make = Callable[..., Any]


def rows(count: int = 20) -> list[Tensor]:
    """Arrays of different shapes."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(3 + i % 4, 5, 3) for i in range(count)]
    return [torch.randint(256, shape, dtype=torch.uint8, generator=generator) for shape in shapes]


def cache(folder: Path, about: dict[str, Any] | None = None) -> ArrayCache:
    return ArrayCache(folder, about or {"list": "a"}, 20, "uint8")


def by_threes(start: int) -> Iterator[Sequence[Tensor]]:
    for first in range(start, 20, 3):
        yield rows()[first : first + 3]


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    made = cache(tmp_path)

    made.build(by_threes)

    assert made.state == "complete"
    for row, expected in enumerate(rows()):
        torch.testing.assert_close(cache(tmp_path)[row], expected)


def test_writing_to_what_was_read_leaves_the_cache_alone(tmp_path: Path) -> None:
    made = cache(tmp_path)
    made.build(by_threes)

    made[3].zero_()

    torch.testing.assert_close(cache(tmp_path)[3], rows()[3])


def test_arrays_of_one_shape_are_one_tensor(tmp_path: Path) -> None:
    features = torch.randn(20, 6)
    made = ArrayCache(tmp_path, {}, 20, "float32")

    made.build(lambda start: [list(features[start:])])

    torch.testing.assert_close(made.stacked(), features)


def test_a_cache_of_something_else_is_made_anew(tmp_path: Path) -> None:
    cache(tmp_path).build(by_threes)
    other = cache(tmp_path, {"list": "b"})
    assert other.state == "stale"

    other.build(lambda start: [[torch.ones(2, 2, 3, dtype=torch.uint8)] * (20 - start)])

    assert other.state == "complete"
    assert other[19].shape == (2, 2, 3)


def test_a_complete_cache_is_not_computed_again(tmp_path: Path) -> None:
    cache(tmp_path).build(by_threes)

    def never(start: int) -> Iterator[Sequence[Tensor]]:
        raise AssertionError(start)

    cache(tmp_path).build(never)


def test_half_a_row_on_disk_is_written_again(tmp_path: Path) -> None:
    def interrupted(start: int) -> Iterator[Sequence[Tensor]]:
        yield rows()[start : start + 7]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache(tmp_path).build(interrupted)
    with (tmp_path / "rows.bin").open("ab") as data, (tmp_path / "index.bin").open("ab") as index:
        data.write(b"half a row")
        index.write(b"half")
    starts = []

    def rest(start: int) -> Iterator[Sequence[Tensor]]:
        starts.append(start)
        yield from by_threes(start)

    cache(tmp_path).build(rest)

    assert starts == [7]
    for row, expected in enumerate(rows()):
        torch.testing.assert_close(cache(tmp_path)[row], expected)


def test_of_two_at_once_one_builds_and_the_other_waits(tmp_path: Path) -> None:
    built = []

    def slowly(start: int) -> Iterator[Sequence[Tensor]]:
        built.append(start)
        barrier.wait(timeout=30)  # the second has been started
        yield from by_threes(start)

    barrier = threading.Barrier(2)
    first = threading.Thread(target=lambda: cache(tmp_path).build(slowly))
    second = threading.Thread(target=lambda: cache(tmp_path).build(slowly))
    first.start()
    second.start()
    barrier.wait(timeout=30)
    first.join(timeout=30)
    second.join(timeout=30)

    assert built == [0]
    assert cache(tmp_path).state == "complete"


def test_a_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    def full(start: int) -> Iterator[Sequence[Tensor]]:
        yield rows()[start : start + 5]
        raise OSError(28, "No space left on device")

    with pytest.raises(
        OSError, match=r"cannot write the cache .*: No space left on device .* set cache_dir to another"
    ):
        cache(tmp_path).build(full)

    assert cache(tmp_path).state == "partial"


def test_too_few_rows_are_no_complete_cache(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has 3 rows, not 20"):
        cache(tmp_path).build(lambda start: [rows()[start : start + 3]])

    assert cache(tmp_path).state == "partial"


def slow_rows(start: int) -> Iterator[Sequence[Tensor]]:
    for row in range(start, 400):
        time.sleep(0.0005)
        pixels = np.random.default_rng(row).integers(256, size=(20 + row % 7, 30, 3), dtype=np.uint8)
        yield [torch.from_numpy(pixels)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_cache_killed_twenty_times_is_that_of_an_uninterrupted_build(tmp_path: Path) -> None:
    ArrayCache(tmp_path / "whole", {}, 400, "uint8").build(slow_rows)
    moments = np.random.default_rng(0)
    sizes = []

    for _ in range(20):
        child = os.fork()
        if child == 0:
            ArrayCache(tmp_path / "killed", {}, 400, "uint8").build(slow_rows)
            os._exit(0)
        time.sleep(moments.uniform(0.002, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        rows = tmp_path / "killed" / "rows.bin"
        sizes.append(rows.stat().st_size if rows.exists() else 0)
    ArrayCache(tmp_path / "killed", {}, 400, "uint8").build(slow_rows)

    assert len(set(sizes)) > 5  # it was killed in the middle of its work
    for name in ("rows.bin", "index.bin", "complete.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
