"""grpc_calls.py CA: gRPC by its own client, through a load balancer's listeners with TLS and without, to its own server.

`grpc_calls.py serve KEY CERTIFICATE` is that server: a process of its own that tells its ports, without TLS and with,
and serves until its input ends.
Messages are plain bytes, so nothing is generated.
"""

import subprocess
import sys
import tempfile
import threading
from concurrent import futures

import grpc

SERVICE = "castle.Test"
AT_ONCE = 200


# The server


class Calls:
    def __init__(self):
        self.together = threading.Barrier(AT_ONCE, timeout=30)
        self.cancelled = threading.Event()

    def echo(self, request, context):
        context.send_initial_metadata([("began", "yes")])
        told = dict(context.invocation_metadata()).get("asked", "-")
        context.set_trailing_metadata([("ended", told), ("raw-bin", b"\x00\xff")])
        return request[::-1]

    def fail(self, request, context):
        context.set_trailing_metadata([("why", "because")])
        context.abort(grpc.StatusCode[request.decode()], "no, \u00e9 and 100 % not")

    def count(self, request, context):
        for number in range(int(request)):
            yield str(number).encode()

    def add(self, requests, context):
        return str(sum(int(request) for request in requests)).encode()

    def talk(self, requests, context):
        for request in requests:
            yield b"you said " + request

    def wait(self, request, context):
        """Until the client is gone."""
        gone = threading.Event()
        context.add_callback(gone.set)
        if gone.wait(30):
            self.cancelled.set()
        return b""

    def was_cancelled(self, request, context):
        return b"yes" if self.cancelled.wait(20) else b"no"

    def meet(self, request, context):
        """Returns when so many calls are here at once."""
        self.together.wait()
        return request


def serve():
    calls = Calls()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=AT_ONCE + 20))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {
        "Echo": grpc.unary_unary_rpc_method_handler(calls.echo),
        "Fail": grpc.unary_unary_rpc_method_handler(calls.fail),
        "Count": grpc.unary_stream_rpc_method_handler(calls.count),
        "Add": grpc.stream_unary_rpc_method_handler(calls.add),
        "Talk": grpc.stream_stream_rpc_method_handler(calls.talk),
        "Wait": grpc.unary_unary_rpc_method_handler(calls.wait),
        "WasCancelled": grpc.unary_unary_rpc_method_handler(calls.was_cancelled),
        "Meet": grpc.unary_unary_rpc_method_handler(calls.meet),
    })])
    with open(sys.argv[2], "rb") as key, open(sys.argv[3], "rb") as certificate:
        credentials = grpc.ssl_server_credentials([(key.read(), certificate.read())])
    ports = [server.add_insecure_port("127.0.0.1:0"), server.add_secure_port("127.0.0.1:0", credentials)]
    server.start()
    print(*ports, flush=True)
    sys.stdin.read()
    server.stop(None).wait()


# The client


def front(ports):
    """A load balancer in front of the server: addresses for channels, without and with TLS behind them, and without
    TLS on both sides."""
    from castle import client, issued

    elb, ec2 = client("elbv2"), client("ec2")
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    balancer = elb.create_load_balancer(Name="grpc", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    certificate, _ = issued("grpc.test")
    groups = []

    def listen(number, group, **how):
        listener = elb.create_listener(
            LoadBalancerArn=balancer, Port=8453 + number,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}], **how,
        )["Listeners"][0]["ListenerArn"]
        for priority, path in enumerate([f"/{SERVICE}/Echo", f"/{SERVICE}/*", "/castle.*/*"], 1):
            elb.create_rule(
                ListenerArn=listener, Priority=priority, Conditions=[{"Field": "path-pattern", "Values": [path]}],
                Actions=[{"Type": "forward", "TargetGroupArn": group}])

    for number, (port, protocol) in enumerate(zip(ports, ["HTTP", "HTTPS"])):
        group = elb.create_target_group(
            Name=f"grpc-{protocol}", Protocol=protocol, ProtocolVersion="GRPC", Port=port, VpcId=vpc, TargetType="ip",
            HealthCheckProtocol=protocol, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2)["TargetGroups"][0]["TargetGroupArn"]
        groups.append(group)
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1", "Port": port}])
        listen(number, group, Protocol="HTTPS", Certificates=[{"CertificateArn": certificate}])
    listen(len(ports), groups[0], Protocol="HTTP")
    for group in groups:
        elb.get_waiter("target_in_service").wait(TargetGroupArn=group, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    address = elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0]["DNSName"].split(":")[0]

    def end():
        elb.delete_load_balancer(LoadBalancerArn=balancer)
        for group in groups:
            elb.delete_target_group(TargetGroupArn=group)

    return [f"{address}:{8453 + number}" for number in range(len(ports) + 1)], end


def look(channel):
    from castle import check, equal

    def unary(name):
        return channel.unary_unary(f"/{SERVICE}/{name}")

    def problem(call, *arguments, **more):
        try:
            call(*arguments, timeout=20, **more) if "timeout" not in more else call(*arguments, **more)
        except grpc.RpcError as error:
            return error
        sys.exit("no error")

    answer, call = unary("Echo").with_call(b"abc", metadata=[("asked", "so")], timeout=20)
    equal(answer, b"cba", "a call")
    equal(call.code(), grpc.StatusCode.OK, "its status")
    check(("began", "yes") in [tuple(each) for each in call.initial_metadata()], "initial metadata")
    trailing = {each.key: each.value for each in call.trailing_metadata()}
    equal((trailing.get("ended"), trailing.get("raw-bin")), ("so", b"\x00\xff"), "trailing metadata")
    equal(unary("Echo")(b"", timeout=20), b"", "an empty message")
    large = bytes(range(256)) * 4096
    equal(unary("Echo")(large, timeout=20), large[::-1], "a message of 1 MB")

    for code in [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE]:
        error = problem(unary("Fail"), code.name.encode())
        equal((error.code(), error.details()), (code, "no, \u00e9 and 100 % not"), "a status")
        check(("why", "because") in [tuple(each) for each in error.trailing_metadata()], "trailers of an error")
    equal(problem(unary("Nothing"), b"").code(), grpc.StatusCode.UNIMPLEMENTED, "a method that the server does not have")
    error = problem(channel.unary_unary("/elsewhere.Service/Method"), b"")
    equal(error.code(), grpc.StatusCode.UNIMPLEMENTED, "a path that no rule has")

    numbers = list(channel.unary_stream(f"/{SERVICE}/Count")(b"500", timeout=20))
    equal(numbers, [str(number).encode() for number in range(500)], "a stream of answers")
    sum_of = channel.stream_unary(f"/{SERVICE}/Add")
    equal(sum_of((str(number).encode() for number in range(500)), timeout=20), b"124750", "a stream of requests")

    # Each message waits for the answer to the one before, so nothing is held back on the way.
    heard = threading.Semaphore(1)

    def speak():
        for number in range(50):
            heard.acquire()
            yield str(number).encode()

    answers = []
    for answer in channel.stream_stream(f"/{SERVICE}/Talk")(speak(), timeout=30):
        answers.append(answer)
        heard.release()
    equal(answers, [b"you said " + str(number).encode() for number in range(50)], "a conversation")

    equal(problem(unary("Wait"), b"", timeout=0.5).code(), grpc.StatusCode.DEADLINE_EXCEEDED, "a deadline")
    equal(unary("WasCancelled")(b"", timeout=30), b"yes", "the server hears of it")


def at_once(channels):
    """So many calls that the server answers none before all are there."""
    from castle import equal

    calls = [
        channels[number % len(channels)].unary_unary(f"/{SERVICE}/Meet").future(str(number).encode(), timeout=40)
        for number in range(AT_ONCE)
    ]
    equal([call.result() for call in calls], [str(number).encode() for number in range(AT_ONCE)], "calls at once")


def main(authority):
    from castle import say

    with open(authority, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())

    def channel(place, secure):
        # Connections of their own: a client keeps to the number of streams that the load balancer allows on each.
        alone = ("grpc.use_local_subchannel_pool", 1)
        if not secure:
            return grpc.insecure_channel(place, options=[alone])
        return grpc.secure_channel(place, credentials, options=[("grpc.ssl_target_name_override", "www.grpc.test"), alone])

    with tempfile.TemporaryDirectory() as folder:
        # Load balancers do not look at a target's certificate.
        key, certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
             "-out", certificate, "-days", "2", "-subj", "/CN=target"], check=True, capture_output=True)
        server = subprocess.Popen(
            [sys.executable, __file__, "serve", key, certificate], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        try:
            places, end = front([int(port) for port in server.stdout.readline().split()])
            for place in places:
                channels = [channel(place, secure=place != places[-1]) for _ in range(2)]
                look(channels[0])
                at_once(channels)
                for each in channels:
                    each.close()
            end()
            say(at_once=AT_ONCE)
        finally:
            server.stdin.close()
            server.wait(20)


if sys.argv[1] == "serve":
    serve()
else:
    main(sys.argv[1])
