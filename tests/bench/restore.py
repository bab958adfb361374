"""From the first bad response that a user is served until all of them are served well again, and that is known.

The new side breaks at a moment of chance while it is watched. Each part is measured, and the whole is compared with what
nothing can be quicker than in the worst case: breaches x period, the delay of what is measured, two round trips of the API
(what is there must be read before it is put back), the TTL, and what ECS takes where something was deployed. Nothing here is scaled:
time is the wall's.
"""

import contextlib
import json
import random
import shutil
import socket
import statistics
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import inputs
from stage import (
    HERE, OTHERS, SWITCHOVER, Failed, Row, ask, described, environment, folder, sandbox, serving, spend
)
from users import PATIENCE, asking

# In seconds. A rate needs two scrapes, and is asked for over three.
PERIOD, BREACHES, TTL, SCRAPE = 2, 2, 5, 1
# What a call of the API takes.
LATENCY = "50ms"
USERS, EVERY = 10, 0.1
# How often each way is measured, and whence the moments at which the new side breaks.
TIMES, SEED = 5, 20261129
# How long anything that is waited for may take.
LONG = 90


@dataclass
class Incident:
    """The moments of one incident, in seconds since the epoch."""

    bad: float
    """A user was served the first bad response."""
    seen: float
    """Whoever watches is sure of it."""
    turned: float
    """It is decided to go back."""
    undone: float
    """The call that puts back was answered."""
    good: float
    """Since then all users are served well again."""
    known: float
    """Whoever put it back has read that it is."""
    redeployed: float = 0
    """The service runs what it ran before, where something was deployed."""
    deploying: float = 0
    """Seconds that ECS itself took for that, from the call on."""

    def parts(self):
        detect, decide, undo = self.seen - self.bad, self.turned - self.seen, self.undone - self.turned
        parts = {"detect": detect, "decide": decide, "undo": undo, "propagate": self.good - self.undone}
        # Nobody takes down what users may still be on.
        return {**parts, "redeploy": self.redeployed - max(self.known, self.good)} if self.redeployed else parts

    def over(self):
        return max(self.good, self.known, self.redeployed)


class World:
    """A sandbox whose new side can be broken."""

    def __init__(self, told):
        self.told, self.control = told, told["SWITCHOVER_SANDBOX"]
        self.wiring = json.loads(fetch(f"{self.control}/wiring"))
        host, _, port = self.wiring["resolver"].rpartition(":")
        self.resolver, self.port = (host, int(port)), self.wiring["ports"]["80"]

    def tell(self, fault):
        return json.loads(fetch(f"{self.control}/faults", json.dumps(fault).encode()))

    @contextlib.contextmanager
    def answers_with_errors(self):
        """While the block runs the new side passes its health checks, and fails whoever asks for more."""
        self.tell(inputs.behaving(error_rate=1))
        try:
            yield
        finally:
            self.tell(inputs.behaving())

    @contextlib.contextmanager
    def hangs(self):
        """While the block runs the new side takes requests, and answers none."""
        number = self.tell(inputs.hanging("new"))["id"]
        try:
            yield
        finally:
            fetch(f"{self.control}/faults/{number}", method="DELETE")

    @contextlib.contextmanager
    def crashes(self):
        """While the block runs no task of the new side lives; then they are healthy again."""
        self.tell(inputs.behaving(crashes_after="1s"))
        self.tell(inputs.stopping("rule-new"))
        try:
            yield
        finally:
            self.tell(inputs.behaving())
            until("tasks that run", lambda: self.tasks("bench/rule-new") == 2)
            # Two checks, one a second, make them healthy.
            time.sleep(3)

    def tasks(self, service):
        return len(json.loads(fetch(f"{self.control}/state"))["services"][service]["running_images"])

    def took(self, service):
        """How long the newest deployment of a service took ECS."""
        (only,) = described(self.told, [service])[0]["deployments"]
        if only["rolloutState"] != "COMPLETED":
            raise Failed(f"{service} is {only['rolloutState']}")
        return only["updatedAt"] - only["createdAt"]

    def round_trip(self):
        """What a call of the API takes."""
        url = f"{self.told['AWS_ENDPOINT_URL']}/2013-04-01/hostedzone/{inputs.ZONE_ID}/rrset"
        spans = []
        for _ in range(9):
            begun = time.perf_counter()
            ask(url, self.told["AWS_ACCESS_KEY_ID"], "route53")
            spans.append(time.perf_counter() - begun)
        return statistics.median(spans)

    def users(self, name, ttl):
        return asking(f"{name}.{inputs.ZONE}", self.port, self.resolver, USERS, EVERY, ttl)


def fetch(url, body=None, method=None):
    with urllib.request.urlopen(urllib.request.Request(url, body, method=method)) as answer:
        return answer.read()


def answers(url):
    with contextlib.suppress(OSError):
        return bool(fetch(url))
    return False


def until(what, holds):
    """Waits until something holds."""
    end = time.monotonic() + LONG
    while not holds():
        if time.monotonic() > end:
            raise Failed(f"waited for {LONG} s: {what}")
        time.sleep(0.1)


@contextlib.contextmanager
def started(argv, env):
    """A process whose standard output is read line by line; it ends with the block."""
    process = subprocess.Popen(
        [str(a) for a in argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def strike(users, broken, process, code, calm):
    """Breaks the new side after so many seconds. Gives when the first user was served badly, since when all are served well,
    and what else the process said until it ended.
    """
    said = []
    reader = threading.Thread(target=lambda: said.extend(process.stdout), daemon=True)
    reader.start()
    time.sleep(calm)
    if users.first_bad():
        raise Failed("a user was served badly before anything was broken")
    with broken():
        try:
            process.wait(LONG)
        except subprocess.TimeoutExpired:
            raise Failed(f"nobody put it back within {LONG} s") from None
        reader.join()
        if process.returncode != code:
            raise Failed(f"it ended with {process.returncode}:\n{''.join(said[-3:])}")
        # Who is not answered yet was served badly.
        time.sleep(PATIENCE + EVERY)
        until("all users are served well again", users.good_again)
    return users.first_bad(), users.good_again(), said


# By a run


def by_run(control, plan, step, begun, took=lambda: 0):
    """How a run of a plan comes through an incident. Users come to the new side once this fact of this step is there. `took`
    says how long ECS was at it.
    """

    def incident(users, broken, calm):
        with folder() as here:
            (here / "plan.yaml").write_text(json.dumps(plan))
            argv = [SWITCHOVER, "run", here / "plan.yaml", f"--sandbox={control}", "--state-dir", here / "state"]
            with started([*argv, "--output", "jsonl", "--on-pause", "exit"], environment()) as process:
                for line in process.stdout:
                    fact = json.loads(line)
                    if (fact["event"], fact.get("step")) == (begun, step):
                        break
                else:
                    raise Failed(f"the run of {plan['name']} did not come to {begun} of {step}")
                bad, good, _ = strike(users, broken, process, 10, calm)
            exported = [SWITCHOVER, "export", "latest", "--state-dir", here / "state"]
            journal = [json.loads(line) for line in spend(exported, environment()).out.splitlines()]
        return Incident(bad=bad, good=good, deploying=took(), **turning(journal, step))

    return incident


def turning(journal, step):
    """When a run saw it, turned back, had put it back, and had read that."""
    facts = [(line["at"] / 1000, line["event"]) for line in journal if line["line"] == "event"]

    def first(fits, since=0):
        return next(at for at, event in facts if at >= since and fits(event))

    def of_step(event, kind):
        return event["event"] == "step" and event["step"] == step and event["fact"]["is"] == kind

    def is_read(event):
        noted = of_step(event, "noted") and json.loads(event["fact"]["note"]).get("served_since")
        return noted or of_step(event, "undone")

    seen = first(lambda event: event["event"] == "step" and event["fact"]["is"] == "failed")
    def is_redeployed(event):
        return event["event"] == "step" and event["step"] == "deploy" and event["fact"]["is"] == "undone"

    undone = first(lambda event: of_step(event, "undo_called"))
    return {
        "seen": seen,
        "turned": first(lambda event: event["event"] == "rollback_started"),
        "undone": undone,
        "known": first(is_read, undone),
        "redeployed": next((at for at, event in facts if is_redeployed(event)), 0),
    }


# By a script


def by_script(world):
    """How `restore.sh` comes through an incident."""
    keys = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    env = environment(**{key: world.told[key] for key in keys})
    env["PATH"] = f"{OTHERS / 'bin'}:{env['PATH']}"
    host, port = world.resolver
    told = [inputs.ZONE_ID, f"record.{inputs.ZONE}", inputs.SIDES["new"], TTL, PERIOD, BREACHES]
    argv = ["bash", HERE / "restore.sh", *told, f"@{host} -p {port}", world.port]

    def incident(users, broken, calm):
        with started(argv, env) as process:
            if not process.stdout.readline().startswith("switched"):
                raise Failed("the script did not switch")
            bad, good, said = strike(users, broken, process, 0, calm)
        at = {what: float(when) for what, when in map(str.split, said)}
        return Incident(bad, at["seen"], at["seen"], at["undone"], good, at["known"])

    return incident


# Prometheus


class Beside(BaseHTTPRequestHandler):
    """The sandbox's own interface, with a real Prometheus beside it in place of the one that the world states; and what the
    users' requests came to, to be scraped.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == "/metrics":
            asked, failed = self.server.users.counts()
            return self.tell(200, f"requests_total {asked}\nrequests_failed_total {failed}\n".encode(), "text/plain")
        if self.path == "/wiring":
            wiring = {**self.server.world.wiring, "control": self.server.url}
            return self.tell(200, json.dumps(wiring).encode(), "application/json")
        self.pass_on(None)

    def do_POST(self):
        self.pass_on(self.rfile.read(int(self.headers.get("content-length", 0))))

    def pass_on(self, body):
        own = self.path.removeprefix("/prometheus")
        base = self.server.world.control if own == self.path else self.server.metrics
        kind = self.headers.get("content-type", "application/json")
        request = urllib.request.Request(base + own, body, {"content-type": kind}, method=self.command)
        try:
            with urllib.request.urlopen(request) as answer:
                self.tell(answer.status, answer.read(), answer.headers["content-type"])
        except urllib.error.HTTPError as refused:
            self.tell(refused.code, refused.read(), refused.headers["content-type"])

    def tell(self, status, body, kind):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def beside(world, users):
    """A Prometheus that scrapes what users get: gives the interface by which a run finds both."""
    program = shutil.which("prometheus")
    if not program:
        raise Failed("there is no prometheus: tests/tools.sh unpacks it")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Beside)
    server.daemon_threads = True
    server.world, server.users = world, users
    server.url = "http://127.0.0.1:%d" % server.server_address[1]
    with folder() as here, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        server.metrics = f"http://127.0.0.1:{port}"
        scraped = {"job_name": "users", "static_configs": [{"targets": [server.url.removeprefix("http://")]}]}
        times = {"scrape_interval": f"{SCRAPE}s", "scrape_timeout": f"{SCRAPE}s"}
        (here / "prometheus.yml").write_text(json.dumps({"global": times, "scrape_configs": [scraped]}))
        argv = [program, f"--config.file={here / 'prometheus.yml'}", f"--storage.tsdb.path={here / 'data'}"]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with serving([*argv, f"--web.listen-address=127.0.0.1:{port}"], environment()):
            until("prometheus is ready", lambda: answers(f"{server.metrics}/-/ready"))
            yield server.url
    server.shutdown()


# All of it


@dataclass
class Way:
    """One way through an incident of one kind."""

    name: str
    through: Callable
    broken: Callable
    ttl: int = 0
    delay: int = 0
    """Until what is served can be known: seconds."""
    is_ours: bool = True
    deploys: bool = False
    """Its plan deploys something first, which is taken back last."""

    def incidents(self, users):
        chance = random.Random(SEED)
        for _ in range(TIMES):
            users.forget()
            # All users are on the new side by then, and it has been looked at.
            yield self.through(users, self.broken, self.ttl + PERIOD + chance.uniform(0, PERIOD))

    def rows(self, users, trip):
        """The whole, its parts, and the least that each takes in the worst case."""
        came = list(self.incidents(users))
        least = {"detect": BREACHES * PERIOD + self.delay, "decide": 0, "undo": 2 * trip, "propagate": self.ttl}
        if self.deploys:
            # A call, and what ECS then takes.
            least["redeploy"] = trip + max(one.deploying for one in came)
        limit = sum(least.values())
        # Of others only users count, not when they know of it.
        whole = [(one.over() if self.is_ours else one.good) - one.bad for one in came]
        middle, worst = statistics.median(whole) / limit, max(whole) / limit
        target, met = ("<= 1.2", worst <= 1.2) if self.is_ours else ("", True)
        ratio = f"{middle:.2f}, worst {worst:.2f}"
        yield Row(self.name, told(whole), f"limit: {limit:.1f} s", ratio, target, met)
        for part, seconds in least.items():
            yield Row(f"- {part}", told([one.parts()[part] for one in came]), f"{seconds:.1f} s", "", "", True)
        yield Row("- and it is known", told([one.known - one.bad for one in came]), "", "", "", True)


def told(spans):
    return f"{statistics.median(spans):.2f} s, worst {max(spans):.2f} s"


def of_a_record(world, trip):
    plan = inputs.switched(inputs.probed("record", PATIENCE), TTL, PERIOD, BREACHES)
    probing, errors = by_run(world.control, plan, "switch", "step.succeeded"), world.answers_with_errors
    with world.users("record", TTL) as users:
        yield from Way("record, http.probe: errors", probing, errors, TTL).rows(users, trip)
        # A request that is not answered is known to have failed when nobody waits for it any more.
        yield from Way("record, http.probe: no answers", probing, world.hangs, TTL, PATIENCE).rows(users, trip)
        with beside(world, users) as control:
            plan = inputs.switched(inputs.counted(f"{SCRAPE * 3}s"), TTL, PERIOD, BREACHES)
            asking_it = by_run(control, plan, "switch", "step.succeeded")
            yield from Way("record, Prometheus: errors", asking_it, errors, TTL, SCRAPE).rows(users, trip)


def of_a_deployment(world, trip):
    plan = inputs.deployed(inputs.probed("deployed", PATIENCE), TTL, PERIOD, BREACHES)
    probing = by_run(world.control, plan, "switch", "step.succeeded", lambda: world.took("fresh"))
    with world.users("deployed", TTL) as users:
        way = Way("service and record, http.probe: errors", probing, world.answers_with_errors, TTL, deploys=True)
        yield from way.rows(users, trip)


def of_a_rule(world, trip):
    plan = inputs.shifted(inputs.probed("rule", PATIENCE), PERIOD, BREACHES)
    probing = by_run(world.control, plan, "shift", "step.applied")
    with world.users("rule", 0) as users:
        yield from Way("rule, http.probe: errors", probing, world.answers_with_errors).rows(users, trip)
        yield from Way("rule, http.probe: its tasks crash", probing, world.crashes).rows(users, trip)


def of_a_script(world, trip):
    with world.users("record", TTL) as users:
        way = Way("record, bash + aws: errors", by_script(world), world.answers_with_errors, TTL, is_ours=False)
        yield from way.rows(users, trip)


def restored():
    with folder() as here:
        (here / "world.yaml").write_text(json.dumps(inputs.incident(TTL, LATENCY)))
        with sandbox(here / "world.yaml") as given:
            world = World(given)
            trip = world.round_trip()
            yield from of_a_record(world, trip)
            yield from of_a_deployment(world, trip)
            yield from of_a_rule(world, trip)
            yield from of_a_script(world, trip)
