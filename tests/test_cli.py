import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.errors import InstantiationException

from softhash.cli import Stopped, main, message_of, split, to_hydra, usage
from softhash.overrides import value_of


def test_a_verb_becomes_the_name_of_its_root_config() -> None:
    assert to_hydra(["train", "bits=16"]) == ["--config-name=train", "bits=16"]


def test_translated_arguments_pass_through_because_a_worker_gets_its_parents_argv() -> None:
    translated = to_hydra(["train", "method=dhn", "bits=16"])

    assert to_hydra(translated) == translated


def test_a_misspelt_verb_is_refused_with_the_closest_one() -> None:
    with pytest.raises(ValueError, match=r"no verb 'trian'\. Did you mean train\?"):
        to_hydra(["trian"])


def test_a_verb_of_two_words_is_one_root_config() -> None:
    assert to_hydra(["data", "show", "count=3"]) == ["--config-name=data_show", "count=3"]


@pytest.mark.parametrize("typed", [["data", "verfy"], ["data"], ["data", "data=voc2007"]])
def test_an_incomplete_verb_is_refused_with_those_that_exist(typed: list[str]) -> None:
    with pytest.raises(ValueError, match=r"(?s)no verb 'data.*data verify +Counts"):
        to_hydra(typed)


def test_softhash_alone_lists_every_verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["softhash"])

    main()

    printed = capsys.readouterr().out
    assert printed.strip() == usage()
    assert "train" in printed
    assert "evaluate" in printed


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("metod=dhn", r"metod: no such option or key\. Did you mean method"),
        ("method=hashnat", r"method=hashnat: no such option\. Did you mean hashnet"),
        ("bit=16", r"bit: no such option or key\. Did you mean bits"),
        ("optimizer.lrr=1", r"optimizer\.lrr: no such option or key\. Did you mean optimizer\.lr"),
        ("loss.gama=1", r"loss\.gama: no such option or key\. Did you mean loss\.gamma"),
        ("method=idhn,hashnat", r"method=hashnat: no such option\. Did you mean hashnet"),
        ("bits=[16", r"cannot read 'bits=\[16'"),
        ("bits=abc", "bits must be a whole number"),
    ],
)
def test_a_misspelt_override_is_refused_with_the_closest_names(argument: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_hydra(["train", argument])


def test_every_combination_of_a_sweep_can_be_checked_without_running_it() -> None:
    arguments = ["train", "-m", "method=idhn,dhn", "bits=16,32", "seed=range(3)"]

    assert to_hydra(arguments) == ["--config-name=train", *arguments[1:], "hydra.output_subdir=null"]


@pytest.mark.parametrize(
    "typed",
    [
        ["bits=8", "-m", "seed=1,2"],
        ["-m", "bits=8", "seed=1,2"],
        ["bits=8", "seed=1,2", "-m"],
    ],
)
def test_flags_may_stand_anywhere_between_overrides(typed: list[str]) -> None:
    job = ["bits=8", "seed=1,2", "hydra.output_subdir=null"]

    assert to_hydra(["train", *typed]) == ["--config-name=train", "-m", *job]


@pytest.mark.parametrize(
    "flag", [["--cfg", "job"], ["--package", "hydra.help"], ["--info", "searchpath"], ["--resolve"]]
)
def test_a_flag_keeps_its_value(flag: list[str]) -> None:
    assert split(["bits=8", *flag, "seed=1"]) == (flag, ["bits=8", "seed=1"])


def test_a_path_of_any_letters_is_handed_to_hydra_in_quotes() -> None:
    assert to_hydra(["evaluate", "run=/home/josé [1]"]) == ["--config-name=evaluate", "run='/home/josé [1]'"]


def test_a_multirun_resumes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run= goes on with one run; leave -m"):
        to_hydra(["train", "-m", f"run={tmp_path}", "epochs=1,2"])


def test_the_folder_of_a_resumed_run_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "josé, it's [v2]"
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text("- bits=16\n")

    arguments = to_hydra(["train", f"run={folder}"])

    assert [value_of(override) for override in arguments[1:]] == [16, str(folder), None, str(folder)]


@pytest.mark.parametrize("verb", ["train", "data show"])
def test_help_waits_for_no_task(verb: str) -> None:
    program = (
        "import sys, softhash.cli as cli;"
        f"sys.argv = ['softhash', *{verb.split()}, '--help'];"
        "cli.import_module = lambda name: sys.exit(f'imports {name}');"
        "cli.main()"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert f"softhash {verb}: " in ended.stdout


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGTERM, 143, "SIGTERM"), (signal.SIGINT, 130, "Ctrl-C")])
def test_a_signal_ends_with_the_exit_code_of_a_shell_and_the_way_to_go_on(
    number: int, code: int, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    stopped = Stopped()
    assert stopped.by is None

    with pytest.raises(SystemExit) as ended:
        stopped(number, None)
    stopped.leave()
    stopped.folder = "/data/it's"
    stopped.say_how_to_go_on("train")
    stopped.say_how_to_go_on("evaluate")

    assert stopped.by == number
    assert ended.value.code == code
    first, second = capsys.readouterr().err.splitlines()
    assert value_of(shlex.split(first.partition(" softhash train ")[2])[0]) == "/data/it's"
    assert second == f"softhash: stopped by {name}."


def test_a_signal_that_a_library_lost_is_raised_again_and_one_that_ends_the_process_is_not() -> None:
    script = """if True:
        import signal, sys, time
        import softhash.cli
        softhash.cli._PATIENCE = 0.2
        softhash.cli.Stopped().listen(is_worker=False)
        for _ in range(2):
            try:
                signal.raise_signal(signal.SIGTERM)
            except SystemExit:
                pass
        try:
            time.sleep(60)
        finally:
            try:
                int("x")
            except ValueError:
                time.sleep(0.6)
            time.sleep(0.6)
            print("cleaned up")
    """

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=50)

    assert (ended.returncode, ended.stdout.strip()) == (143, "cleaned up")


def test_a_worker_that_is_told_to_end_tells_the_first_process_and_leaves_at_once() -> None:
    worker = "import time; from softhash.cli import Stopped; Stopped().listen(is_worker=True)"
    parent = f"""if True:
        import os, signal, subprocess, sys
        os.environ["SOFTHASH_FIRST_PROCESS"] = str(os.getpid())
        signal.signal(signal.SIGTERM, lambda *_: print("told"))
        child = subprocess.Popen([sys.executable, "-c", {worker!r} + "; print(1, flush=True); time.sleep(60)"], stdout=-1)
        child.stdout.readline()
        child.send_signal(signal.SIGINT)  # which a terminal sends to all: the first process answers
        child.send_signal(signal.SIGTERM)
        print(child.wait())
    """

    printed = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True).stdout

    assert printed.split() == ["told", "143"]


def test_a_worker_ends_soon_after_the_first_process_was_killed() -> None:
    worker = "from softhash.cli import Stopped; Stopped().listen(is_worker=True); import time; time.sleep(300)"
    parent = f"""if True:
        import os, signal, subprocess, sys
        os.environ["SOFTHASH_FIRST_PROCESS"] = str(os.getpid())
        child = subprocess.Popen([sys.executable, "-c", {worker!r}])
        os.kill(os.getpid(), signal.SIGKILL)
    """
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)

    process.communicate(timeout=60)  # until no process has its output open any more

    assert process.returncode == -signal.SIGKILL


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not the folder of a run"):
        to_hydra(["train", f"run={tmp_path}"])


def refused(cause: Exception) -> str | None:
    error = InstantiationException("Error in call to target 'mine.Loss':")
    error.__cause__ = cause
    return message_of(error)


def test_what_a_constructor_refuses_is_said_in_its_own_words() -> None:
    assert refused(ValueError("bits must be at least 1, got 0")).startswith(
        "softhash: bits must be at least 1, got 0\n"
    )


def test_a_constructor_that_does_not_fit_its_config_is_named() -> None:
    assert "mine.Loss" in refused(TypeError("unexpected keyword argument 'gama'"))


def test_what_a_user_cannot_mend_is_no_message_but_a_traceback() -> None:
    assert message_of(KeyError("key")) is None
