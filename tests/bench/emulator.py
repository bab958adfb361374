"""Route 53 for the comparison of one record change: moto, name servers that answer from it, and the wiring of both.

Prints one line of JSON: `endpoint` (AWS), `control` (what `--sandbox=URL` takes), `zone` (its id) and `name`.
moto serves no DNS, and `dns.switch` asks the zone's parent who its authorities are, and then all of them; so one name
server is here for all names, which answers what moto lists.
"""

import json
import socketserver
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from moto.core import DEFAULT_ACCOUNT_ID
from moto.route53.models import route53_backends
from moto.server import ThreadedMotoServer

ZONE, NAME, FIRST, TTL = "bench.example", "app.bench.example", "first.bench.example", 60
A, TYPES = 1, {2: "NS", 5: "CNAME"}


def wire(name):
    """A name as DNS writes it."""
    labels = name.strip(".").encode().split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def read(message):
    """The name and type that a query asks for, and where its question ends."""
    place, labels = 12, []
    while message[place]:
        labels.append(message[place + 1 : place + 1 + message[place]].decode().lower())
        place += 1 + message[place]
    return ".".join(labels), struct.unpack_from("!H", message, place + 1)[0], place + 5


def records(zone, name, kind):
    """What a name has of a type: data and TTL."""
    if not name.endswith(ZONE):
        # The root, the zone's name servers, and whatever else is asked for: all of it is this machine.
        return [(b"\x7f\0\0\1", TTL)] if kind == A else []
    found = [s for s in zone.rrsets if s.name.strip(".").lower() == name and s.type == TYPES.get(kind)]
    return [(wire(value), int(s.ttl)) for s in found for value in s.records]


class Answers(socketserver.BaseRequestHandler):
    """Answers DNS over UDP, as authority."""

    def handle(self):
        query, socket = self.request
        name, kind, end = read(query)
        answers = records(self.server.zone, name, kind)
        message = query[:2] + struct.pack("!HHHHH", 0x8400, 1, len(answers), 0, 0) + query[12:end]
        for data, ttl in answers:
            message += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data
        socket.sendto(message, self.client_address)


class Control(BaseHTTPRequestHandler):
    """What a run asks of a world that is not production: how it is reached."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        known = self.path == "/wiring"
        self.tell(200 if known else 404, self.server.wiring if known else {"error": "nobody counts here"})

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.tell(200, {})

    def tell(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def start(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def main():
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    endpoint = "http://127.0.0.1:%d" % moto.get_host_and_port()[1]
    route53 = route53_backends[DEFAULT_ACCOUNT_ID]["aws"]
    zone = route53.create_hosted_zone(ZONE, private_zone=False)
    first = {"Name": NAME, "Type": "CNAME", "TTL": TTL, "ResourceRecords": [{"Value": FIRST}]}
    route53.change_resource_record_sets(zone.resource_id, [{"Action": "CREATE", "ResourceRecordSet": first}])

    names = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Answers)
    names.zone = zone
    names.daemon_threads = True
    dns = start(names)
    control = ThreadingHTTPServer(("127.0.0.1", 0), Control)
    control.daemon_threads = True
    url = "http://127.0.0.1:%d" % start(control)
    control.wiring = {
        "world": "moto",
        "control": url,
        "aws_endpoint": endpoint,
        "access_key": "bench",
        "secret_key": "bench",
        "resolver": "127.0.0.1:%d" % dns,
        "dns_port": dns,
        "ports": {},
        "ca_pem": "",
        "time": {"origin": int(time.time() * 1000), "scale": 1},
        "params": {},
        "secrets": {},
        "people": [],
    }
    told = {"endpoint": endpoint, "control": url, "zone": zone.resource_id, "name": NAME}
    print(json.dumps(told), flush=True)
    # It ends with whoever started it.
    sys.stdin.read()


if __name__ == "__main__":
    main()
