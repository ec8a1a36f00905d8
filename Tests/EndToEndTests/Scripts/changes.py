"""changes.py changed: the configuration of a load balancer changes every 100 ms while clients keep asking.

`changes.py killed`: instead the control plane is killed with SIGKILL, again and again.

Clients are h2load's: HTTP/1.1, HTTP/1.1 over TLS and HTTP/2 over TLS, all on connections that are kept. Targets, rules,
certificates, weights and attributes change through the API.
"""

import http.client
import http.server
import itertools
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

from castle import check, client, environment, equal, issued, say

SECONDS = 10
elb, ec2 = client("elbv2"), client("ec2")


class Target(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"served"
        # One packet: a head by itself would wait for the client's acknowledgement.
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


def serve(pipe):
    server = Server(("127.0.0.1", 0), Target)
    pipe.send(server.server_address[1])
    server.serve_forever()


def start():
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    return process, mine.recv()


def forward(*groups):
    return [{"Type": "forward", "ForwardConfig": {
        "TargetGroups": [{"TargetGroupArn": group, "Weight": weight} for group, weight in groups]}}]


class World:
    """Two listeners, two target groups, three targets of which the first one stays."""

    def __init__(self, kind, ports):
        self.targets = [{"Id": "127.0.0.1", "Port": port} for port in ports]
        subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.balancer = elb.create_load_balancer(
            Name="changes", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
        self.groups = [
            elb.create_target_group(
                Name=f"changes-{number}", Protocol="HTTP", Port=ports[0], VpcId=vpc, TargetType="ip",
                HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2,
                HealthyThresholdCount=2)["TargetGroups"][0]["TargetGroupArn"]
            for number in range(2)
        ]
        for group in self.groups:
            elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[
                {"Key": "deregistration_delay.timeout_seconds", "Value": "5"}])
            elb.register_targets(TargetGroupArn=group, Targets=self.targets)
        self.certificates = [issued(domain)[0] for domain in (f"{kind}.test", f"{kind}.example")]
        actions = forward((self.groups[0], 1), (self.groups[1], 1))
        self.plain = self.listener(8471, actions, Protocol="HTTP")
        self.secure = self.listener(
            8472, actions, Protocol="HTTPS", Certificates=[{"CertificateArn": self.certificates[0]}])
        self.rules = []
        for group in self.groups:
            elb.get_waiter("target_in_service").wait(TargetGroupArn=group, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        found = elb.describe_load_balancers(LoadBalancerArns=[self.balancer])["LoadBalancers"][0]
        self.address = found["DNSName"].split(":")[0]

    def listener(self, port, actions, **more):
        return elb.create_listener(
            LoadBalancerArn=self.balancer, Port=port, DefaultActions=actions, **more)["Listeners"][0]["ListenerArn"]

    def add_rule(self, listener, priority):
        self.rules.append(elb.create_rule(
            ListenerArn=listener, Priority=priority, Conditions=[{"Field": "path-pattern", "Values": ["/work*"]}],
            Actions=forward((self.groups[priority % 2], 1)))["Rules"][0]["RuleArn"])

    def changes(self):
        """One change after the other, without end."""
        first, second = self.groups
        for number in itertools.count():
            target = self.targets[1 + number % 2]
            yield lambda: elb.deregister_targets(TargetGroupArn=first, Targets=[target])
            yield lambda: self.add_rule(self.plain, 1 + number % 2)
            yield lambda: elb.modify_listener(
                ListenerArn=self.secure, Certificates=[{"CertificateArn": self.certificates[(number + 1) % 2]}])
            yield lambda: elb.deregister_targets(TargetGroupArn=second, Targets=[target])
            yield lambda: self.add_rule(self.secure, 1 + number % 2)
            yield lambda: elb.register_targets(TargetGroupArn=first, Targets=[target])
            yield lambda: elb.modify_listener(
                ListenerArn=self.plain, DefaultActions=forward((first, number % 3), (second, 1)))
            yield lambda: elb.modify_load_balancer_attributes(LoadBalancerArn=self.balancer, Attributes=[
                {"Key": "idle_timeout.timeout_seconds", "Value": str(60 + number % 5)}])
            yield lambda: elb.register_targets(TargetGroupArn=second, Targets=[target])
            yield lambda: elb.delete_rule(RuleArn=self.rules.pop(0))
            yield lambda: elb.delete_rule(RuleArn=self.rules.pop(0))

    def end(self):
        elb.delete_load_balancer(LoadBalancerArn=self.balancer)
        for group in self.groups:
            elb.delete_target_group(TargetGroupArn=group)


def load(kind, *arguments):
    return kind, subprocess.Popen(
        ["h2load", "-D", str(SECONDS), "-c", "4", "-t", "1", *arguments], stdout=subprocess.PIPE, text=True)


def control_plane():
    """Its process: asked at once after a kill this waits for the next one, since the endpoint's socket stays."""
    with urllib.request.urlopen(f"{environment('AWS_ENDPOINT_URL')}/_castle/health", timeout=30) as answer:
        return json.load(answer)["pid"]


def kills():
    """One kill after the other, without end; each is over when the next control plane answers."""
    while True:
        def kill():
            old = control_plane()
            os.kill(old, signal.SIGKILL)
            while True:
                try:
                    if control_plane() != old:
                        return elb.describe_load_balancers()
                except (OSError, http.client.HTTPException):
                    # The answer that the killed one owed.
                    pass

        yield kill


def main(kind):
    started = [start() for _ in range(3)]
    world = World(kind, [port for _, port in started])
    clients = [
        load("HTTP/1.1", "--h1", f"http://{world.address}:8471/work"),
        load("HTTP/1.1 over TLS", "--h1", f"https://{world.address}:8472/work"),
        load("HTTP/2 over TLS", "-m", "4", f"https://{world.address}:8472/"),
    ]
    made = 0
    slowest = 0.0
    changes, pause = (kills(), 2.0) if kind == "killed" else (world.changes(), 0.1)
    while any(process.poll() is None for _, process in clients):
        began = time.monotonic()
        next(changes)()
        made += 1
        took = time.monotonic() - began
        slowest = max(slowest, took)
        time.sleep(max(0.0, pause - took))
    requests = {}
    for spoken, process in clients:
        output = process.stdout.read()
        equal(process.returncode, 0, spoken)
        counts = dict((name, int(number)) for number, name in re.findall(
            r"(\d+) (total|succeeded|failed|errored|timeout|2xx|3xx|4xx|5xx)", output))
        for name in ["failed", "errored", "timeout", "3xx", "4xx", "5xx"]:
            equal(counts[name], 0, f"{spoken}: {name} in {output}")
        check(counts["succeeded"] > 200, f"{spoken}: {output}")
        requests[spoken] = counts["succeeded"]
    check(made > (2 if kind == "killed" else 20), f"{made} times {kind}")
    world.end()
    for process, _ in started:
        process.kill()
    say(requests=requests, failed=0, kind=kind, times=made, slowest_ms=round(slowest * 1000))


main(sys.argv[1])
