from types import SimpleNamespace

import pytest

from softhash.encoding import progress
from softhash.encoding.progress import Meter


def test_the_bar_shows_how_many_are_done_and_the_rate_of_those_of_this_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([10.0, 12.0, 14.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(perf_counter=lambda: next(times)))

    with Meter(200, shown=True) as meter:
        meter(100)  # by a call that was stopped
        assert meter.rate is None
        meter(140)
        assert meter.rate == 20
        meter(200)

    assert meter.rate == 25
    assert "200/200 25 images/s" in " ".join(capsys.readouterr().out.split())


def test_processes_that_show_no_bar_measure_the_rate_too(capsys: pytest.CaptureFixture[str]) -> None:
    with Meter(9, shown=False) as meter:
        meter(0)
        meter(9)

    assert meter.rate is not None
    assert capsys.readouterr().out == ""
