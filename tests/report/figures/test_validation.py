from collections.abc import Callable

from softhash.report.figures.validation import FIGURE
from softhash.runs.folder import Run

WriteLog = Callable[[Run, list[dict[str, float]]], None]


def test_each_metric_has_a_panel_over_epochs_that_names_its_best(run: Run, write_log: WriteLog) -> None:
    values = [{"validation/mAP": 0.5, "validation/WAP": 1.75}, {"validation/mAP": 0.625, "validation/WAP": 1.5}]
    write_log(run, [{"epoch": epoch, "step": 5 * epoch, **v} for epoch, v in zip((1, 3), values, strict=True)])

    drawing = FIGURE.draw(run)
    panels = {axes.get_title(loc="left"): axes for axes in drawing.figure.axes}

    assert set(panels) == {"mAP", "WAP"}
    assert panels["mAP"].lines[0].get_xydata().tolist() == [[2, 0.5], [4, 0.625]]
    assert "0.625 at 4" in panels["mAP"].get_xlabel()
    assert "1.750 at 2" in panels["WAP"].get_xlabel()
    assert sorted(drawing.rows) == [("WAP", 5, 2, 1.75), ("WAP", 15, 4, 1.5), ("mAP", 5, 2, 0.5), ("mAP", 15, 4, 0.625)]


def test_panels_without_a_metric_are_hidden(run: Run, write_log: WriteLog) -> None:
    write_log(run, [{"epoch": 0, "step": 5, **{f"validation/{name}": 0.5 for name in "abcdef"}}])

    panels = FIGURE.draw(run).figure.axes

    assert [axes.get_visible() for axes in panels] == [True] * 6 + [False] * 4


def test_nothing_is_drawn_where_nothing_was_trained(run: Run) -> None:
    assert FIGURE.draw(run) == "nothing was trained by gradient"
