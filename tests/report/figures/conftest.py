from collections.abc import Iterator

import pytest

from softhash.report.drawing import styled


@pytest.fixture(autouse=True)
def _styled() -> Iterator[None]:
    """Figures are drawn as the page draws them."""
    with styled():
        yield
