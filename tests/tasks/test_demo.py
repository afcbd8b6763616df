import socket
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from softhash.config import root
from softhash.runs.folder import Run
from softhash.search.collection import Collection
from softhash.search.exact import Exact
from softhash.search.index import write_index
from softhash.tasks import demo


def start(*overrides: str) -> None:
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        demo.run(compose("demo", ["run=none", "index=none", "port=0", *overrides]))


def test_it_listens_on_this_machine_alone_unless_told_otherwise() -> None:
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        config = compose("demo", ["run=none", "index=none"])

    assert (config.host, config.port) == ("127.0.0.1", 7860)


def test_a_port_in_use_is_named_before_anything_is_loaded() -> None:
    with demo.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(OSError, match=rf"port={port} of host=127.0.0.1: Address already in use.\n.*another port"):
            start(f"port={port}")


def test_a_port_is_free_again_when_the_demo_has_ended() -> None:
    with demo.listen("127.0.0.1", 0) as first, socket.create_connection(first.getsockname()) as client:
        port = first.getsockname()[1]
        first.accept()[0].close()  # the side that closes first keeps the address for a minute
        client.recv(1)

    demo.listen("127.0.0.1", port).close()


@pytest.mark.parametrize("port", [-1, 2**16, "x", 1.5])
def test_a_port_that_cannot_be_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match=rf"port must be .*{port}"):
        demo.listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OSError, match=r"cannot listen on port=0 of host=192\.0\.2\.1"):  # of documentation alone
        demo.listen("192.0.2.1", 0)


def test_as_many_indexes_as_runs_are_needed() -> None:
    with pytest.raises(ValueError, match=r"run=\.\.\. names 2 and index=\.\.\. 1; give the index of each run"):
        start("run=[a,b]", "index=[c]")


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)

    with pytest.raises(ValueError, match=r"needs the extra demo: pip install 'softhash\[demo\]'"):
        start()


def test_an_index_of_another_run_is_refused_before_the_server_starts(
    untrained: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, served = untrained(), []
    monkeypatch.setattr(demo, "serve", lambda *_: served.append("yes"))
    other = run.identity() | {"checkpoint": "0" * 64}
    for name, bits, encoder in (("other", 12, other), ("long", 16, run.identity())):
        collection = Collection(np.zeros((2, 2), dtype=np.uint8), ["a", "b"], bits, encoder)
        write_index(collection, Exact(), tmp_path / name)

    with pytest.raises(ValueError, match="codes of two runs do not compare"):
        start(f"run={run.folder}", f"index={tmp_path / 'other'}")
    with pytest.raises(ValueError, match="these are codes of 16 bits"):
        start(f"run={run.folder}", f"index={tmp_path / 'long'}")
    with pytest.raises(FileNotFoundError, match="none is not the folder of an index"):
        start(f"run={run.folder}")
    assert served == []
