"""A throw-away Slurm of one node on this machine: no root, no systemd, no cgroups; every file in one folder.

Needs munge, slurmctld, slurmd and slurm-client (Debian's names).
"""

import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

DAEMONS = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
CONFIG = """
ClusterName=throwaway
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
# A requeued job is held back for as long as a credential is valid, else two minutes.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=2,bf_interval=2
ReturnToService=2
KillWait=10
MinJobAge=3600
FirstJobId={first}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr=127.0.0.1 Port={node} CPUs=4 State=UNKNOWN
PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1 PreemptMode=REQUEUE GraceTime=120 State=UP
PartitionName=steady Nodes=ALL MaxTime=INFINITE PriorityTier=1 PreemptMode=OFF State=UP
PartitionName=high Nodes=ALL MaxTime=INFINITE PriorityTier=9 PreemptMode=OFF State=UP
"""


def missing() -> list[str]:
    """Commands that are not installed, of those that a cluster needs."""
    return [name for name in DAEMONS if shutil.which(name, path=PATH) is None]


def wait_for(what: Callable[[], bool], seconds: float, says: str) -> None:
    """Ask until it is so.

    Raises:
        TimeoutError: It was not, for so long.
    """
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            msg = f"waited {seconds:.0f} seconds in vain for {says}"
            raise TimeoutError(msg)
        time.sleep(0.2)


@contextmanager
def slurm() -> Iterator[dict[str, str]]:
    """Run a cluster, and give the environment variables with which its commands find it."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # a short path, as that of a Unix socket is
    environment = {"PATH": PATH, "SLURM_CONF": str(folder / "slurm.conf")}
    try:
        _start(folder, {**os.environ, **environment})
        yield environment
    finally:
        _stop(folder, {**os.environ, **environment})
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, environment: dict[str, str]) -> None:
    def run(*command: str) -> str:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            msg = f"{' '.join(command)} failed: {done.stdout}{done.stderr}"
            raise RuntimeError(msg)
        return done.stdout

    for name in ("state", "spool"):
        (folder / name).mkdir()
    folder.chmod(0o755)
    run("mungekey", "--create", "--keyfile", f"{folder}/munge.key")
    files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    run("munged", *(f"--{option}={folder}/munge{'d' if end == 'pid' else ''}.{end}" for option, end in files.items()))
    controller, node = _free_ports(2)
    host = socket.gethostname().partition(".")[0]
    first = random.randrange(1000, 9000)  # noqa: S311 - Lightning's port is 15000 and the last four digits of a job's number
    names = {"host": host, "user": getpass.getuser(), "folder": folder}
    text = CONFIG.format(**names, controller=controller, node=node, first=first)
    (folder / "slurm.conf").write_text(text)
    run("slurmctld")
    run("slurmd", "-N", host)
    wait_for(lambda: "idle" in run("sinfo", "--noheader", "--format=%t"), 60, "an idle node")


def _stop(folder: Path, environment: dict[str, str]) -> None:
    def jobs() -> str:
        command = ["squeue", "--noheader", "--format=%A"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False).stdout

    if (folder / "slurmd.pid").is_file():
        subprocess.run(["scancel", *jobs().split()], env=environment, capture_output=True, timeout=30, check=False)
        wait_for(lambda: not jobs(), 60, "the jobs to end")
    for name in ("slurmd", "slurmctld", "munged"):
        path = folder / f"{name}.pid"
        if path.is_file():
            process = int(path.read_text())
            if _is_alive(process, name):
                os.kill(process, signal.SIGTERM)
                wait_for(lambda process=process, name=name: not _is_alive(process, name), 60, f"{name} to end")


def _is_alive(process: int, name: str) -> bool:
    """Whether a process runs that bears the name; where nobody collects it, a dead one stays as a zombie."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return f"({name})" in stat and stat.rpartition(")")[2].split()[0] != "Z"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
