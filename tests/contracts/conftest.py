from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of a file by what they are about, which they share: all of one method, then all of the next."""
    here = Path(__file__).parent

    def about(place: int) -> tuple[int, str]:
        item = items[place]
        if not isinstance(item, pytest.Function) or item.path.parent != here or not hasattr(item, "callspec"):
            return first[item.path], ""
        return first[item.path], str(item.callspec.params.get("name", ""))

    first: dict[Path, int] = {}
    for place, item in enumerate(items):
        first.setdefault(item.path, place)
    items[:] = [items[place] for place in sorted(range(len(items)), key=about)]
