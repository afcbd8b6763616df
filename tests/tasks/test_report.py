from types import SimpleNamespace

import pytest

from softhash.tasks.report import reference_of


def study_of(*methods: str) -> SimpleNamespace:
    return SimpleNamespace(methods=list(methods), titles={method: method.partition(" ")[0] for method in methods})


def test_a_reference_is_found_by_its_name() -> None:
    assert reference_of("idhn", study_of("dhn", "idhn")) == "idhn"
    assert reference_of(None, study_of("dhn")) is None
    assert reference_of("idhn a=1", study_of("idhn a=1", "idhn a=2")) == "idhn a=1"


def test_a_reference_of_several_settings_is_refused() -> None:
    with pytest.raises(ValueError, match="several settings; say which: idhn a=1, idhn a=2"):
        reference_of("idhn", study_of("idhn a=1", "idhn a=2"))
