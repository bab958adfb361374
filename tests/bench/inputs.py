"""What the benchmarks feed the tool: a world with plans to match, and texts made to hurt. Measures nothing."""

import json

ACCOUNT, REGION = "123456789012", "eu-west-1"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/service@sha256:"
OLD, NEW = REPOSITORY + "0" * 64, REPOSITORY + "1" * 64


def world(services, scale):
    """A world of services behind a load balancer, checked and drained as AWS does it where nobody says otherwise."""
    names = [f"service-{n:03}" for n in range(services)]
    check = {"path": "/health/live", "every": "30s", "healthy": 5, "unhealthy": 2, "deregistration_delay": "300s"}
    container = {"app": {"image": OLD, "port": 8080}}
    return {
        "world": "v1",
        "summary": f"{services} services to deploy at once.",
        "time": f"{scale}x",
        "account": ACCOUNT,
        "region": REGION,
        "load_balancers": {"all": {}},
        "images": {image: {"app": "backend", "starts_in": "30s"} for image in (OLD, NEW)},
        "task_definitions": {name: {"containers": container} for name in names},
        "clusters": {
            "bench": {
                name: {"task_definition": name, "load_balancer": "all", "paths": [f"/{name}/*"], "check": check}
                for name in names
            }
        },
    }


def target():
    return {"aws": {"account": ACCOUNT, "region": REGION}}


def deploys(count):
    """A plan that deploys all services of such a world in parallel."""
    step = {"uses": "ecs.deploy", "with": {"target": "prod", "cluster": "bench", "images": {"app": NEW}}}
    steps = [
        {"id": f"deploy-{n:03}", **step, "with": {**step["with"], "service": f"service-{n:03}"}} for n in range(count)
    ]
    return {
        "switchover": "v1",
        "name": "deploys",
        "targets": {"prod": target()},
        "steps": [{"id": "deploy", "parallel": steps}],
    }


def baked_world():
    """A world of one service, and an alarm, in which time passes as it does here."""
    return {**world(1, 1), "alarms": {"errors": {"state": "ok"}}}


def baked():
    """A plan that changes something, and then is watched for a day: by four guards, as often as they say."""
    place = {"load_balancer": "all", "in": "prod"}
    service = {"target": "prod", "cluster": "bench", "service": "service-000"}
    return {
        "switchover": "v1",
        "name": "watched",
        "targets": {"prod": target()},
        "policy": {"bake": "24h"},
        "guards": [
            {"id": "alarms", "uses": "cloudwatch.alarms", "with": {"target": "prod", "names": ["errors"]}},
            {"id": "hosts", "uses": "alb.unhealthy_hosts", "with": place, "fail": "value > 0"},
            {"id": "errors", "uses": "alb.error_rate", "with": place, "fail": "value > 0.5"},
            {"id": "tasks", "uses": "ecs.running", "with": service, "fail": "value < 0.5"},
        ],
        "steps": [{"id": "begin", "uses": "exec", "with": {"run": ["true"], "undo": ["true"]}}],
    }


def switch(zone, name, to):
    """A plan that changes one record."""
    record, _, of_zone = name.partition(".")
    step = {"target": "zone", "record": record, "to": {"cname": to}, "writes": "shared"}
    return {
        "switchover": "v1",
        "name": "record",
        "targets": {"prod": target(), "zone": {"route53": {"zone_id": zone, "name": of_zone, "aws": "prod"}}},
        "steps": [{"id": "switch", "uses": "dns.switch", "with": step}],
    }


def long_plan(count):
    """A plan of so many steps: deployments and checks in turn, in groups of ten. As text, with holes and conditions."""
    lines = [
        "switchover: v1",
        "name: long",
        "params: { image: { type: string, default: '%s' } }" % NEW,
        "targets: { prod: %s }" % json.dumps(target()),
        "steps:",
    ]
    for n in range(count):
        if n % 10 == 0:
            lines += [f"  - id: group-{n // 10}", "    parallel:"]
        if n % 2 == 0:
            lines += [
                f"      - id: deploy-{n}",
                "        uses: ecs.deploy",
                "        with:",
                "          target: prod",
                "          cluster: bench",
                f"          service: service-{n}",
                "          images: { app: '${{ params.image }}' }",
            ]
        else:
            lines += [
                f"      - id: check-{n}",
                "        uses: http.check",
                "        with:",
                f"          url: https://service-{n}.example/health",
                '          expect: status == 200 && body.status == "ok"',
                "        retry: { attempts: 3, wait: 10s }",
            ]
    return "\n".join(lines) + "\n"


def hostile():
    """Texts made to hurt, by name."""
    head = "switchover: v1\nname: a\nsteps:\n"
    laughs = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    laughs += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    texts = {
        "100,000 [": "[" * 100_000,
        "100,000 {": "{" * 100_000,
        "100,000 -": "- " * 100_000,
        "billion laughs": "\n".join(laughs),
        "60,000 values": "a: [" + "1," * 60_000 + "]",
        "2 MiB": "a" * (2 << 20),
        "20,000 unknown keys": "".join(f"k{n}: 1\n" for n in range(20_000)),
        "24,000 times one key": "a: 1\n" * 24_000,
        "a byte order mark": "\ufeff" + head + "- { id: a, uses: wait, with: { for: 1s } }\n",
        "CRLF": (head + "- { id: a, uses: wait, with: { for: 1s } }\n").replace("\n", "\r\n"),
        "a tab": head + "\t- id: a\n",
    }
    return {name: text.encode() for name, text in texts.items()}


def rehearsed(count):
    """A plan of so many steps, half of which change something and can be undone, in groups of ten."""

    def step(n):
        if n % 2:
            return f"  - {{ id: wait-{n}, uses: wait, with: {{ for: 10s }} }}\n"
        return (
            f"  - id: change-{n}\n    uses: exec\n    with:\n      prior: [state, \"{n}\"]\n"
            f"      run: [change, \"{n}\"]\n      check: [check, \"{n}\"]\n      undo: [undo, \"{n}\"]\n"
        )

    return f"switchover: v1\nname: steps-{count}\nsteps:\n" + "".join(step(n) for n in range(count))


# An incident: the new side is broken once users are there

ZONE, ZONE_ID = "bench.example", "Z0123456789ABC"
SOUND = {"app": "frontend", "starts_in": "1s"}
SIDES = {side: f"{side}.{REGION}.elb.amazonaws.com" for side in ("old", "new", "fresh")}


def incident(ttl, latency):
    """A world with records that lead to one of two load balancers, and a rule that deals to one of two target groups. Of a third
    side, `fresh`, what runs is the same as on the old one, until something is deployed there.

    Its time is the wall's. Every call of its API takes so long, and name servers have a change at once: what a provider adds
    to that, nobody can be quicker than.
    """
    service = {"desired": 2, "check": {"path": "/health/live", "every": "1s", "deregistration_delay": "1s"}}
    slow = {"kind": "delay", "delay": latency, "times": 0}
    return {
        "world": "v1",
        "summary": "A record and a rule to switch, and a new side to break.",
        "time": "1x",
        "account": ACCOUNT,
        "region": REGION,
        "dns": {"insync_after": "500ms", "name_servers": {f"ns-{n}.awsdns.example": "0s" for n in range(1, 5)}},
        "zones": {
            ZONE: {
                "id": ZONE_ID,
                "records": [
                    {"name": "record", "type": "CNAME", "ttl": ttl, "values": [SIDES["old"]]},
                    {"name": "deployed", "type": "CNAME", "ttl": ttl, "values": [SIDES["old"]]},
                    {"name": "rule", "type": "A", "alias": "rule"},
                ],
            }
        },
        "load_balancers": {**{side: {"dns_name": name} for side, name in SIDES.items()}, "rule": {}},
        "images": {OLD: SOUND, NEW: SOUND},
        "task_definitions": {
            side: {"containers": {"app": {"image": shown, "port": 8080}}}
            for side, shown in (("old", OLD), ("new", NEW), ("fresh", OLD))
        },
        "clusters": {
            "bench": {
                **{side: {**service, "task_definition": side, "load_balancer": side} for side in SIDES},
                "rule-old": {**service, "task_definition": "old", "load_balancer": "rule", "weight": 1},
                "rule-new": {**service, "task_definition": "new", "load_balancer": "rule", "weight": 0},
            }
        },
        "faults": [{**slow, "service": service} for service in ("route53", "elasticloadbalancing", "sts", "ecs")],
    }


def behaving(**more):
    """What is told to the sandbox, so that what the new side runs is like this from now on."""
    return {"kind": "change", "change": {"image": {NEW: {**SOUND, **more}}}}


def stopping(service):
    """Its tasks crash, and others are started in their place."""
    return {"kind": "change", "change": {"stop_tasks": f"bench/{service}"}}


def hanging(load_balancer):
    """A load balancer takes requests, and answers none."""
    return {"kind": "hold_before", "service": "http", "containing": load_balancer, "times": 0}


def probed(name, patience):
    """A signal: requests of the tool's own."""
    told = {"url": f"http://{name}.{ZONE}/", "over": "1m", "answer_within": f"{patience}s"}
    return {"uses": "http.probe", "with": told, "fail": "error_rate > 0.05"}


def counted(window):
    """A signal: the share of the users' requests that fail, as Prometheus has it."""
    share = "sum(rate(requests_failed_total[{0}])) / sum(rate(requests_total[{0}]))".format(window)
    return {"uses": "prometheus", "with": {"target": "metrics", "query": share}, "fail": "value > 0.05"}


def watched(signal, period, breaches):
    """What both plans say of it."""
    return {"every": f"{period}s", "signals": [{"id": "errors", **signal, "breaches": breaches}]}


def switched(signal, ttl, period, breaches):
    """A plan that switches the record, and watches."""
    return switching("record", "new", [], signal, ttl, period, breaches)


def deployed(signal, ttl, period, breaches):
    """A plan that deploys a side, switches a record to it, and watches: both are taken back, one after the other."""
    told = {"target": "prod", "cluster": "bench", "service": "fresh", "images": {"app": NEW}}
    deploy = {"id": "deploy", "uses": "ecs.deploy", "with": told}
    return switching("deployed", "fresh", [deploy], signal, ttl, period, breaches)


def switching(record, side, before, signal, ttl, period, breaches):
    to = {"cname": SIDES[side], "ttl": f"{ttl}s"}
    switch = {"target": "zone", "record": record, "to": to, "writes": "shared"}
    return {
        "switchover": "v1",
        "name": "switched",
        "targets": {
            "prod": target(),
            "zone": {"route53": {"zone_id": ZONE_ID, "name": ZONE, "aws": "prod"}},
            "metrics": {"prometheus": {"url": "http://127.0.0.1:9090"}},
        },
        "steps": [
            *before,
            {"id": "switch", "uses": "dns.switch", "with": switch},
            {"id": "soak", "uses": "monitor", "with": {"for": "10m", **watched(signal, period, breaches)}},
        ],
    }


def shifted(signal, period, breaches):
    """A plan that shifts all requests of the rule at once, and watches."""
    shift = {
        "target": "prod",
        "load_balancer": "rule",
        "listener": 80,
        "group": "rule-new",
        "to": [100],
        "soak": "10m",
        "writes": "shared",
        **watched(signal, period, breaches),
    }
    return {
        "switchover": "v1",
        "name": "shifted",
        "targets": {"prod": target()},
        "steps": [{"id": "shift", "uses": "alb.weights", "with": shift}],
    }
