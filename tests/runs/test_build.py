from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from softhash.heads.projection import Projection
from softhash.runs.build import build


def test_nested_objects_lists_and_values_are_made() -> None:
    made = build(
        {
            "_target_": "torch.nn.TransformerEncoderLayer",
            "d_model": 4,
            "nhead": 2,
            "activation": {"_target_": "torch.nn.ReLU"},
        }
    )
    plain = build({"sizes": [1, {"two": 2}], "none": None})

    assert isinstance(made.activation, nn.ReLU)
    assert plain == {"sizes": [1, {"two": 2}], "none": None}


def test_arguments_without_names_are_handed_over_in_order() -> None:
    made = build(
        {"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "torch.nn.ReLU"}, {"_target_": "torch.nn.Tanh"}]}
    )

    assert [type(layer) for layer in made] == [nn.ReLU, nn.Tanh]


def test_a_partial_waits_for_the_rest_of_its_arguments() -> None:
    made = build({"_target_": "softhash.heads.projection.Projection", "_partial_": True, "bits": 3})

    assert isinstance(made, partial)
    assert isinstance(made(in_features=2), Projection)


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "joblib.load",
        "builtins.eval",
        "torch.load",
        "torch.hub.load",
        "torch.nn.modules.module.torch.load",  # through what a module has imported
        "softhash.cli.os.system",
        "softhash.cli.main",  # functions of ours do things
        "softhash.runs.folder.write_arrays",
        "softhash.runs.record.subprocess.run",
        "softhash.runs.folder.Path",
        "torchvision.models.get_model",
        "torchvision.models._api.WeightsEnum.get_state_dict",
        "Softsign",
    ],
)
def test_what_may_do_anything_is_refused_by_name(target: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=target.rpartition(".")[2]):
        build({"layer": {"_target_": target, "path": str(tmp_path / "written")}})

    assert list(tmp_path.iterdir()) == []


def test_what_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match=r"there is no softhash.heads.gone.Head, which the run was made with"):
        build({"_target_": "softhash.heads.gone.Head"})


def test_similarities_of_labels_are_functions_that_may_be_named() -> None:
    made = build({"_target_": "softhash.functional.similarity.share", "_partial_": True})

    assert made(torch.eye(2), torch.eye(2)).tolist() == [[1, 0], [0, 1]]
