import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("of_the_user", "expected"), [(None, "passive"), ("active", "active")])
def test_waiting_threads_sleep_unless_the_user_has_chosen(of_the_user: str | None, expected: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    if of_the_user is not None:
        environment["OMP_WAIT_POLICY"] = of_the_user
    program = "import softhash, os, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"

    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )

    assert result.stdout.split() == [expected, "False"]
