"""What measurements stand on: processes that are timed, processes that serve, a sandbox, and the rows of the table."""

import contextlib
import json
import os
import re
import subprocess
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import inputs

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
SWITCHOVER = TARGET / "release" / "switchover"
OTHERS = TARGET / "bench" / "others"


class Failed(Exception):
    """A measurement that could not be taken."""


@dataclass
class Row:
    """One line of the table."""

    what: str
    measured: str
    against: str
    ratio: str
    target: str
    met: bool


@dataclass
class Spent:
    """What a process and all that it waited for spent."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds, in user mode and in the kernel."""
    peak: float
    """MiB of the largest process; never less than this one has, from which it began."""
    out: str


def spend(argv, env=None, codes=(0,)):
    """Runs a command to its end."""
    with tempfile.TemporaryFile() as out:
        begun = time.perf_counter()
        process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode(errors="replace")
    if process.returncode not in codes:
        last = "\n".join(text.splitlines()[-15:])
        raise Failed(f"{Path(argv[0]).name} ended with {process.returncode}:\n{last}")
    return Spent(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text)


def environment(**more):
    """That of this process, without what would reach into a measurement."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SWITCHOVER_", "AWS_", "ANSIBLE_"))}
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", **more}


@contextlib.contextmanager
def serving(argv, env=None):
    """A process that serves while the block runs: gives its standard output."""
    process = subprocess.Popen(
        [str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, text=True
    )
    try:
        yield process.stdout
    finally:
        process.terminate()
        process.communicate()


@contextlib.contextmanager
def sandbox(world):
    """A sandbox as a process of its own: gives the environment that it prints."""
    with serving([SWITCHOVER, "sandbox", "up", "--world", world, "--idle", "10m"], environment()) as out:
        told = {}
        for line in out:
            told.update(re.findall(r"(\w+)=(\S+)", line))
            if "SWITCHOVER_SANDBOX" in told:
                break
        else:
            raise Failed(f"the sandbox of {world} did not start")
        yield told


@contextlib.contextmanager
def folder():
    """For one measurement, on the disk of the build."""
    with tempfile.TemporaryDirectory(dir=TARGET / "bench") as path:
        yield Path(path)


def run(plan, control, state):
    """Carries a plan out."""
    return spend([SWITCHOVER, "run", plan, f"--sandbox={control}", "--state-dir", state], environment())


def ask(url, key, service, body=None, headers=()):
    """One question to an emulator: they go by the scope of a signature, and check no more of it."""
    scope = f"AWS4-HMAC-SHA256 Credential={key}/20260101/{inputs.REGION}/{service}/aws4_request"
    request = urllib.request.Request(url, body, {"authorization": scope, **dict(headers)})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def described(told, names):
    """Services as the sandbox's ECS describes them."""
    body = json.dumps({"cluster": "bench", "services": names}).encode()
    operation = {"x-amz-target": "AmazonEC2ContainerServiceV20141113.DescribeServices"}
    return json.loads(ask(told["AWS_ENDPOINT_URL"], told["AWS_ACCESS_KEY_ID"], "ecs", body, operation))["services"]
