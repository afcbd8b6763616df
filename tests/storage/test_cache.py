import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from softhash.storage.cache import ArrayCache


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
    written = tmp_path / "killed" / "rows.bin"
    sizes = [0]

    for _ in range(20):
        child = os.fork()
        if child == 0:
            ArrayCache(tmp_path / "killed", {}, 400, "uint8").build(slow_rows)
            os._exit(0)
        moment = sizes[-1] + int(moments.integers(1, 40_000))  # some rows further, maybe within one
        deadline = time.monotonic() + 30
        while (written.stat().st_size if written.exists() else 0) < moment and time.monotonic() < deadline:
            time.sleep(0.0001)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        sizes.append(written.stat().st_size)
    ArrayCache(tmp_path / "killed", {}, 400, "uint8").build(slow_rows)

    whole_size = (tmp_path / "whole" / "rows.bin").stat().st_size
    assert all(0 < size < whole_size for size in sizes[1:])  # it was killed in the middle of its work
    for name in ("rows.bin", "index.bin", "complete.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def whole(folder: Path) -> dict[str, bytes]:
    """The content of a cache that was built without a fault."""
    cache(folder).build(by_threes)
    return {name: (folder / name).read_bytes() for name in ("rows.bin", "index.bin", "complete.json")}


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("rows.bin", "index.bin", "complete.json")}


@pytest.mark.parametrize("name", ["rows.bin", "index.bin"])
@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_a_complete_cache_that_lost_its_end_is_completed(name: str, kept: float, tmp_path: Path) -> None:
    expected = whole(tmp_path)
    os.truncate(tmp_path / name, int(len(expected[name]) * kept))
    damaged = cache(tmp_path)
    assert damaged.state == "partial"

    damaged.build(by_threes)

    assert damaged.state == "complete"
    assert content(tmp_path) == expected


def test_what_a_killed_process_left_aside_is_deleted_when_a_cache_is_taken_up(tmp_path: Path) -> None:
    whole(tmp_path)
    (tmp_path / ".complete.json.4242.json").touch()

    cache(tmp_path).build(by_threes)

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("about.json", "complete.json", "index.bin", "lock", "rows.bin")
    ]


def test_an_index_that_makes_no_sense_is_written_again(tmp_path: Path) -> None:
    expected = whole(tmp_path)
    (tmp_path / "index.bin").write_bytes(bytes(len(expected["index.bin"])))
    (tmp_path / "complete.json").write_text("{")
    damaged = cache(tmp_path)
    assert damaged.state == "partial"

    damaged.build(by_threes)

    assert content(tmp_path) == expected


@pytest.mark.parametrize("about", [b"", b'{"list": "a"', b"\xff\xfe"])
def test_a_cache_that_does_not_say_what_it_holds_is_made_anew(about: bytes, tmp_path: Path) -> None:
    expected = whole(tmp_path)
    (tmp_path / "about.json").write_bytes(about)
    damaged = cache(tmp_path)
    assert damaged.state == "stale"

    damaged.build(by_threes)

    assert content(tmp_path) == expected


def test_rows_are_on_the_disk_before_the_cache_says_that_it_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def fsync(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        synced.append((name, (tmp_path / "complete.json").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    cache(tmp_path).build(by_threes)

    assert ("rows.bin", False) in synced
    assert ("index.bin", False) in synced


def test_what_rows_depend_on_is_not_asked_for_before_there_is_a_cache(tmp_path: Path) -> None:
    asked = []

    def about() -> dict[str, Any]:
        asked.append(1)
        return {"list": "a"}

    made = ArrayCache(tmp_path, about, 20, "uint8")
    assert made.state == "none"
    assert not asked

    made.build(by_threes)

    assert cache(tmp_path).state == "complete"
    assert len(asked) == 1
    assert ArrayCache(tmp_path, lambda: {"list": "b"}, 20, "uint8").state == "stale"


def test_a_photo_that_is_gone_is_no_trouble_of_the_disk(tmp_path: Path) -> None:
    def gone(start: int) -> Iterator[Sequence[Tensor]]:
        yield rows()[start : start + 5]
        msg = "data.root='photos' has no a.jpg"
        raise FileNotFoundError(msg)

    with pytest.raises(FileNotFoundError, match=r"^data\.root='photos' has no a\.jpg$"):
        cache(tmp_path).build(gone)
