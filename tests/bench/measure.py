"""The benchmarks: what the tool costs, against what it cannot be without, and against others that do the same.

Every figure is measured in this run, of whole processes, start-up included. Needs nothing but Python itself; `run.sh`
builds and installs what is measured. Prints a table, and ends with 1 if anything missed its target.
"""

import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import inputs
from restore import restored
from stage import (
    HERE, OTHERS, ROOT, SWITCHOVER, TARGET, Failed, Row, ask, described, environment, folder, run, sandbox, serving, spend
)

# Five and a half minutes, AWS's own pace of a deployment, take 83 seconds at this scale: what the tool itself needs
# weighs four times as much as it would in production.
SERVICES, SCALE = 200, 4
CHANGES, VALIDATIONS, STEPS = 9, 21, 500
# Four signals each, watched for as long as two of the longest periods take, twice over.
RUNS, WATCHED = 50, 180
# How many seconds `flood.rs` lasts.
FLOODED = 10
# Seconds between two looks of each signal, by the calls of a look: those of a load balancer find it first.
FOUND = ("DescribeLoadBalancers", "DescribeLoadBalancerAttributes", "DescribeTargetGroups")
LOOKS = (
    (30, ("DescribeAlarms",)),
    (15, (*FOUND, "DescribeTargetHealth")),
    (30, (*FOUND, "GetMetricData")),
    (15, ("DescribeServices",)),
)


# Deployments in parallel


def longest_chain(told, names):
    """The longest that any one service took from its UpdateService to its completion, on the wall clock."""
    spans = []
    for first in range(0, len(names), 10):
        for service in described(told, names[first : first + 10]):
            (only,) = service["deployments"]
            if only["rolloutState"] != "COMPLETED" or not only["taskDefinition"].endswith(":2"):
                raise Failed(f"{service['serviceName']} was not deployed")
            spans.append((only["updatedAt"] - only["createdAt"]) / SCALE)
    return max(spans)


def deploys_in_parallel():
    """The whole process against the one deployment that took longest: what remains is what the tool adds."""
    with folder() as here:
        world = inputs.world(SERVICES, SCALE)
        (here / "world.yaml").write_text(json.dumps(world))
        (here / "plan.yaml").write_text(json.dumps(inputs.deploys(SERVICES)))
        with sandbox(here / "world.yaml") as told:
            spent = run(here / "plan.yaml", told["SWITCHOVER_SANDBOX"], here / "state")
            chain = longest_chain(told, list(world["clusters"]["bench"]))
    ratio = spent.wall / chain
    what, against = f"{SERVICES} deployments in parallel, wall", f"the longest of them: {chain:.2f} s"
    yield Row(what, f"{spent.wall:.2f} s", against, f"{ratio:.3f}", "<= 1.05", ratio <= 1.05)


# One record


def other_ways(told):
    """Who else changes the record to a name, and how."""
    env = environment(
        PATH=f"{OTHERS / 'bin'}:{os.environ['PATH']}",
        AWS_ENDPOINT_URL=told["endpoint"],
        AWS_ACCESS_KEY_ID="bench",
        AWS_SECRET_ACCESS_KEY="bench",
        AWS_DEFAULT_REGION=inputs.REGION,
        ANSIBLE_COLLECTIONS_PATH=str(OTHERS / "collections"),
        ANSIBLE_LOCALHOST_WARNING="false",
    )

    def aws(to):
        return spend(["bash", HERE / "record.sh", told["zone"], told["name"], to], env)

    def ansible(to):
        values = json.dumps({"zone": told["zone"], "record": told["name"], "target": to})
        playbook = [HERE / "record.yml", "--extra-vars", values]
        return spend(["ansible-playbook", "--inventory", "localhost,", "--connection", "local", *playbook], env)

    return {"bash + aws": aws, "Ansible": ansible}


def listed(told):
    """What the emulator lists: whoever was asked to change it has."""
    return ask(f"{told['endpoint']}/2013-04-01/hostedzone/{told['zone']}/rrset", "bench", "route53")


def one_record():
    """Each reads the record, replaces it, and waits until the change is in sync.

    The tool does more than the others: it asserts the account, journals, and asks every name server.
    """
    with folder() as here, serving([OTHERS / "bin" / "python", HERE / "emulator.py"], environment()) as out:
        line = out.readline()
        if not line:
            raise Failed("the emulator did not start")
        told = json.loads(line)

        def ours(to):
            (here / "plan.yaml").write_text(json.dumps(inputs.switch(told["zone"], told["name"], to)))
            return run(here / "plan.yaml", told["control"], here / "state")

        ways = {"switchover": ours, **other_ways(told)}
        spent = {name: [] for name in ways}
        # In turn, so that all meet the same machine; the first round warms the disk's cache and is not counted.
        for turn in range(CHANGES + 1):
            for name, change in ways.items():
                to = f"{name.split()[0].lower()}-{turn}.bench.example"
                measured = change(to)
                if to not in listed(told):
                    raise Failed(f"{name} did not change the record:\n{measured.out}")
                spent[name].append(measured)
    for name in ("bash + aws", "Ansible"):
        for what, least in (("cpu", 10), ("wall", 5)):
            own, other = (
                statistics.median(getattr(one, what) for one in spent[who][1:]) * 1000 for who in ("switchover", name)
            )
            ratio = other / own
            against, least_ratio = f"{name}: {other:.0f} ms", f">= {least}x"
            yield Row(f"one record, {what}", f"{own:.0f} ms", against, f"{ratio:.1f}x", least_ratio, ratio >= least)


# The journal, memory, validation


def appends():
    printed = spend(["cargo", "bench", "--locked", "--quiet", "--bench", "append"]).out
    found = re.search(r"(\d+)/s durable, bare fdatasync (\d+)/s, ratio ([\d.]+)", printed)
    if not found:
        raise Failed(f"cargo bench printed no rates:\n{printed}")
    durable, bare, ratio = found.groups()
    yield Row("durable appends", f"{durable}/s", f"fdatasync: {bare}/s", ratio, ">= 0.5", float(ratio) >= 0.5)
    spans = dict(re.findall(r"^(an append|a bare fdatasync): (p50 .*)$", printed, re.M))
    yield Row("one append", spans["an append"], f"fdatasync: {spans['a bare fdatasync']}", "", "", True)
    count, rate, times = re.search(r"(\d+) at once: (\d+) events/s, ([\d.]+) times", printed).groups()
    yield Row(f"{count} facts at once, one sync", f"{rate}/s", f"one by one: {durable}/s", f"{times}x", ">= 3x", float(times) >= 3)


def scale():
    printed = spend(["cargo", "bench", "--locked", "--quiet", "--bench", "scale"]).out
    found = re.search(
        r"runs: (\d+) listed in (\d+) ms\nresumed: (\d+) of (\d+), (\d+) refused.*\nresume: (\d+) facts in (\d+) ms", printed
    )
    if not found:
        raise Failed(f"cargo bench printed no figures:\n{printed}")
    runs, listed, resumed, all_runs, refused, facts, took = map(int, found.groups())
    yield Row(f"{runs} runs listed, wall", f"{listed} ms", "", "", "< 100 ms", listed < 100)
    met = (resumed, refused) == (all_runs, 1)
    yield Row("interrupted runs resumed, beside a damaged one", f"{resumed} of {all_runs}", "", "", "all", met)
    yield Row(f"a run of {facts} facts resumed, wall", f"{took} ms", "", "", "< 1 s", took < 1000)


def memory():
    with folder() as here, sandbox("aep") as told:
        spent = run(ROOT / "plans" / "aep-go-live.yaml", told["SWITCHOVER_SANDBOX"], here / "state")
    yield Row("the AEP run, peak memory", f"{spent.peak:.1f} MiB", "", "", "< 40 MiB", spent.peak < 40)


# Many runs that are watched


@dataclass
class Used:
    """What a process has used so far, and holds now."""

    cpu: float
    """Seconds."""
    resident: float
    """MiB."""
    peak: float
    """MiB, at most so far."""


def used(process):
    here = Path("/proc") / str(process.pid)
    # After the name, which may hold anything, the 12th and 13th are the time in user mode and in the kernel.
    fields = (here / "stat").read_text().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB", (here / "status").read_text(), re.M))
    return Used(cpu, int(sizes["VmRSS"]) / 1024, int(sizes["VmHWM"]) / 1024)


def answered(control):
    """How many calls of each kind a sandbox has answered."""
    with urllib.request.urlopen(f"{control}/calls") as answer:
        return {call["operation"]: call["answered"] for call in json.loads(answer.read())["calls"]}


def until(what, holds):
    for _ in range(600):
        if holds():
            return
        time.sleep(0.5)
    raise Failed(f"it never came that {what}")


def listens(address):
    host, port = address.split(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


@contextlib.contextmanager
def begun(argv, env=None):
    """A process that ends with the block."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([str(a) for a in argv], env=env, **quiet)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def flooded():
    """A server that hears triggers while others send it garbage."""
    spend(["cargo", "bench", "--locked", "--quiet", "--no-run", "--bench", "flood"])
    secret = environment(SWITCHOVER_SERVE_TOKEN="x" * 32)
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = "127.0.0.1:%d" % free.getsockname()[1]
    with folder() as here:
        serve = [SWITCHOVER, "serve", "--listen", listen, "--state-dir", here / "state"]
        with begun(serve, secret) as server:
            until("it listens", lambda: listens(listen))
            before = used(server).cpu
            printed = spend(["cargo", "bench", "--locked", "--quiet", "--bench", "flood", "--", listen], secret).out
            after = used(server)
    found = re.search(r"(\d+)/s of garbage; (\d+) triggers answered, the slowest in (\d+) ms", printed)
    if not found:
        raise Failed(f"the flood printed no figures:\n{printed}")
    rate, count, slowest = map(int, found.groups())
    yield Row("garbage sent to `serve`", f"{rate}/s", "", "", ">= 10,000/s", rate >= 10_000)
    yield Row(f"the slowest of {count} triggers meanwhile", f"{slowest} ms", "", "", "< 1 s", slowest < 1000)
    apiece = (after.cpu - before) / (rate * FLOODED) * 1e6
    yield Row("the same, CPU a piece of garbage", f"{apiece:.0f} us", "", "", "<= 100 us", apiece <= 100)
    yield Row("the same, peak memory", f"{after.peak:.1f} MiB", "", "", "< 96 MiB", after.peak < 96)


def watching():
    """Runs that bake, all of them driven by one server."""
    serve = [SWITCHOVER, "serve", "--take-up", "--listen", "127.0.0.1:0"]
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(folder())
        (here / "world.yaml").write_text(json.dumps(inputs.baked_world()))
        (here / "plan.yaml").write_text(json.dumps(inputs.baked()))
        told = stack.enter_context(sandbox(here / "world.yaml"))
        control, state = told["SWITCHOVER_SANDBOX"], here / "state"
        # Each ends once it bakes.
        run_one = [SWITCHOVER, "run", here / "plan.yaml", f"--sandbox={control}", "--state-dir", state]
        for _ in range(RUNS):
            spend([*run_one, "--on-pause", "exit"], environment())
        secret = environment(SWITCHOVER_SERVE_TOKEN="x" * 32)
        server = stack.enter_context(begun([*serve, "--state-dir", state], secret))
        # The last to be asked is what counts whole minutes.
        until("all are watched", lambda: answered(control).get("GetMetricData", 0) >= RUNS)
        before, calls, begin = used(server), answered(control), time.perf_counter()
        time.sleep(WATCHED)
        after, span = used(server), time.perf_counter() - begin
        counted = {name: count - calls.get(name, 0) for name, count in answered(control).items()}
        listed = json.loads(spend([SWITCHOVER, "runs", "--output", "json", "--state-dir", state], environment()).out)
        driven = {run["driven_by"] for run in listed if run["baking"]}
    if len(listed) != RUNS or len(driven) != 1 or None in driven:
        raise Failed(f"not all of them are driven by the server, but by {driven}")
    what = f"{4 * RUNS} signals across {RUNS} runs in one process"
    share = (after.cpu - before.cpu) / span
    yield Row(f"{what}, CPU of one core", f"{share:.1%}", "", "", "<= 10 %", share <= 0.1)
    yield Row("the same, memory", f"{after.resident:.1f} MiB", "", "", "< 100 MiB", after.resident < 100)
    for name in sorted({name for _, names in LOOKS for name in names}):
        rate = counted.get(name, 0) / span
        stated = sum(RUNS / period for period, names in LOOKS if name in names)
        ratio = rate / stated
        # A look more or less falls into the time that is measured.
        met = ratio <= 1.1
        yield Row(f"the same, {name}", f"{rate:.2f}/s", f"stated: {stated:.2f}/s", f"{ratio:.2f}", "<= 1.1", met)


def validated(path, codes):
    spans = [spend([SWITCHOVER, "validate", path], environment(), codes).wall for _ in range(VALIDATIONS)]
    return statistics.median(spans) * 1000


def validation():
    with folder() as here:
        path = here / "plan.yaml"
        path.write_text(inputs.long_plan(STEPS))
        long = validated(path, (0,))
        hostile = {}
        for name, text in inputs.hostile().items():
            path.write_bytes(text)
            hostile[name] = validated(path, (0, 3))
    worst = max(hostile, key=hostile.get)
    for what, against, took, most in (
        (f"{STEPS} steps validated, wall", "", long, 50),
        (f"{len(hostile)} hostile texts, wall of the slowest", worst, hostile[worst], 100),
    ):
        yield Row(what, f"{took:.1f} ms", against, "", f"< {most} ms", took < most)


# A rehearsal


def rehearse(plan, *more):
    spent = spend([SWITCHOVER, "rehearse", plan, "--budget", "0", "--output", "json", *more], environment())
    told = json.loads(spent.out)
    if told["found"] or not (more or told["complete"]):
        raise Failed(f"{plan} was not rehearsed without findings")
    return spent, told["scenarios"]


def rehearsals():
    spent, scenarios = rehearse(ROOT / "plans" / "aep-go-live.yaml")
    rate = scenarios / spent.cpu
    yield Row("AEP rehearsed, wall", f"{spent.wall:.1f} s", f"{scenarios} scenarios", "", "< 60 s", spent.wall < 60)
    yield Row("scenarios a second and core", f"{rate:.0f}", "", "", ">= 2000", rate >= 2000)
    yield Row("the same, peak memory", f"{spent.peak:.1f} MiB", "", "", "< 200 MiB", spent.peak < 200)
    # Plans that differ in nothing but their length: the same fault at each fact, then every fault at each.
    for what, more in (("an abort at each fact", ["--fault", "people.abort"]), ("every fault", [])):
        each = {}
        with folder() as here:
            for count in (10, 50, 200):
                path = here / f"steps-{count}.yaml"
                path.write_text(inputs.rehearsed(count))
                spent, scenarios = rehearse(path, *more)
                each[count] = (scenarios / count, spent.cpu / scenarios * 1000, spent.peak)
        for count in (50, 200):
            (steps, cpu, peak), (few, little, _) = each[count], each[10]
            what_of = f"{what}, {count} steps: scenarios a step"
            ratio = steps / few
            yield Row(what_of, f"{steps:.1f}", f"10 steps: {few:.1f}", f"{ratio:.2f}", "<= 1.1", ratio <= 1.1)
            # Each fact is decided by a look over all steps. Of one fault there are too few to outweigh the two ways that
            # all of them leave.
            took, ratio = f"{cpu:.3f} ms", cpu / little
            target, met = ("", True) if more else ("<= 2", ratio <= 2)
            yield Row("the same, CPU a scenario", took, f"10 steps: {little:.3f} ms", f"{ratio:.1f}", target, met)
            yield Row("the same, peak memory", f"{peak:.1f} MiB", "", "", "< 200 MiB", peak < 200)


MEASUREMENTS = (
    validation, rehearsals, one_record, appends, scale, memory, restored, deploys_in_parallel, watching, flooded
)


def show(rows):
    head = ("what", "measured", "against", "ratio", "target", "")
    lines = [head] + [(r.what, r.measured, r.against, r.ratio, r.target, "met" if r.met else "MISSED") for r in rows]
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def main():
    wanted = [m for m in MEASUREMENTS if not sys.argv[1:] or m.__name__ in sys.argv[1:]]
    (TARGET / "bench").mkdir(parents=True, exist_ok=True)
    rows = []
    for measurement in wanted:
        name = measurement.__name__.replace("_", " ")
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        try:
            rows += measurement()
        except (Failed, OSError) as error:
            print(f"{name} could not be measured: {error}", file=sys.stderr, flush=True)
            rows.append(Row(name, "not measured", "", "", "", False))
    show(rows)
    sys.exit(0 if all(row.met for row in rows) else 1)


if __name__ == "__main__":
    main()
