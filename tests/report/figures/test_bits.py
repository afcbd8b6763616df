import numpy as np
import pytest
import torch

from softhash.report.figures.bits import FIGURE
from softhash.runs.folder import Run


def test_statistics_of_bits_are_written_into_the_titles(run: Run) -> None:
    relaxed = torch.tensor([[1.0, 1.0, -1.0], [-1.0, -0.01, 1.0]]).repeat(30, 1)
    bits = np.tile([[1, 1, 0], [0, 0, 1]], (30, 1))  # two copies and a mirror image: one bit
    packed = torch.from_numpy(np.packbits(bits, axis=1, bitorder="little"))
    run.write_codes("mine", run.codes("mine")._replace(database=packed, bits=3, relaxed=relaxed))

    drawing = FIGURE.draw(run)

    figure, numbers = drawing.figure, {tuple(row[:3]): row[3] for row in drawing.rows}
    titles = " ".join(axes.get_title(loc="left") for axes in figure.axes)
    assert "entropy 1.00 of 1" in titles
    assert "1.0 effective bits of 3" in titles
    assert "16.7% near 0" in titles
    assert figure.axes[0].patches[0].get_height() == pytest.approx(0.5)
    assert numbers["share of ones", 0, ""] == pytest.approx(0.5)
    assert numbers["correlation", 0, 1] == pytest.approx(1)
    assert numbers["correlation", 0, 2] == pytest.approx(-1)
    assert sum(value for (what, *_), value in numbers.items() if what.startswith("relaxed")) == 60 * 3
