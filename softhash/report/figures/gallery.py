"""Some queries, and what they find."""

import numpy as np

from softhash.data.base import Split
from softhash.report.drawing import Drawing, RunFigure
from softhash.report.strips import COLUMNS, draw_strips, keep_pictures, numbers, strips_html, tiles
from softhash.runs.folder import Run

_QUERIES = 8


class Gallery(RunFigure):
    """Evenly spaced queries on the left, their nearest database images on the right."""

    name, section, order, wide = "gallery", "What it finds", 10, True
    caption = (
        "Some queries, and the nearest images of the database with their distance in bits, nearest first. Labels shared"
        " with the query are filled; a faded image is not relevant. Equal distances are in database order."
    )

    def collect(self, run: Run, query: Split, database: Split) -> None:
        """Keep thumbnails."""
        rows = np.linspace(0, len(query) - 1, min(_QUERIES, len(query)), dtype=np.int64)
        keep_pictures(run, self.name, rows, query, database)

    def draw(self, run: Run) -> Drawing | str:
        """A line per query."""
        lines = tiles(run)
        if not lines:
            return "the run folder has no pictures"
        return Drawing(draw_strips(lines), COLUMNS, numbers(run), instead=strips_html(lines))


FIGURE = Gallery()
