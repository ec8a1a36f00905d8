"""metrics.py CA: known traffic through an application load balancer with a web ACL, gRPC and a network load balancer,
and exactly its numbers read back through GetMetricData.

What was there before the traffic is read first, so that whatever making it all took does not count.
"""

import datetime
import http.server
import socket
import struct
import sys
import threading
import time
import urllib.request
from concurrent import futures

import grpc

from castle import check, client, environment, equal, issued, say, until

authority = sys.argv[1]
elb, ec2, waf, cloudwatch = (client(name) for name in ("elbv2", "ec2", "wafv2", "cloudwatch"))
REGION = cloudwatch.meta.region_name
REGIONAL = {"Scope": "REGIONAL"}
# Seconds that the slow target takes.
SLOW = 0.25
BROWSER = "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)\r\n"


# Targets


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/slow":
            time.sleep(SLOW)
        status = {"/missing": "404 Not Found", "/broken": "500 No"}.get(self.path, "200 OK")
        self.wfile.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok".encode())

    def log_message(self, *_):
        pass


def site():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def calls():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
        "castle.Test", {"Echo": grpc.unary_unary_rpc_method_handler(lambda request, _: request)})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def echo_streams():
    """Sends back what comes; resets the connection when it is asked to."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with connection:
            while data := connection.recv(65536):
                if data == b"reset":
                    return reset(connection)
                connection.sendall(data)

    def accept():
        while True:
            threading.Thread(target=quietly, args=(serve, listener.accept()[0]), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def quietly(serve, connection):
    try:
        serve(connection)
    except ConnectionError:
        pass


def echo_datagrams():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve():
        while True:
            data, source = server.recvfrom(65536)
            server.sendto(data, source)

    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# What stands in front of them


subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]


def group(name, protocol, port, **more):
    arn = elb.create_target_group(
        Name=f"metrics-{name}", Protocol=protocol, Port=port, VpcId=vpc, TargetType="ip", HealthCheckIntervalSeconds=5,
        HealthyThresholdCount=2, **more)["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": "127.0.0.1", "Port": port}])
    return arn


def forward(arn):
    return [{"Type": "forward", "TargetGroupArn": arn}]


def balancer(name, kind):
    arn = elb.create_load_balancer(Name=name, Type=kind, Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    return arn, elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["DNSName"].split(":")[0]


def rule(listener, priority, path, action):
    elb.create_rule(
        ListenerArn=listener, Priority=priority, Conditions=[{"Field": "path-pattern", "Values": [path]}],
        Actions=[action])


def web_acl(resource):
    def seen(name):
        return {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": True, "MetricName": name}

    def starts(path):
        return {"ByteMatchStatement": {
            "SearchString": path, "FieldToMatch": {"UriPath": {}}, "PositionalConstraint": "STARTS_WITH",
            "TextTransformations": [{"Priority": 0, "Type": "NONE"}]}}

    injection = {"SqliMatchStatement": {
        "FieldToMatch": {"QueryString": {}}, "TextTransformations": [{"Priority": 0, "Type": "URL_DECODE"}]}}
    rules = [
        ("watched", starts("/ok"), {"Count": {}}), ("admin", starts("/admin"), {"Block": {}}),
        ("sql", injection, {"Block": {}})]
    acl = waf.create_web_acl(
        Name="metrics", DefaultAction={"Allow": {}}, VisibilityConfig=seen("edge"), Rules=[
            {"Name": name, "Priority": number, "Statement": statement, "Action": action,
             "VisibilityConfig": seen(name), "RuleLabels": [{"Name": f"area:{name}"}]}
            for number, (name, statement, action) in enumerate(rules)], **REGIONAL)["Summary"]
    waf.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=resource)
    # All of the Gate's loops have it when no new connection gets past it.
    until("the web ACL judges", lambda: all(ask("/admin") == 403 for _ in range(20)))

    def end():
        waf.disassociate_web_acl(ResourceArn=resource)
        token = waf.get_web_acl(Name="metrics", Id=acl["Id"], **REGIONAL)["LockToken"]
        waf.delete_web_acl(Name="metrics", Id=acl["Id"], LockToken=token, **REGIONAL)

    return end


def ask(path, headers=""):
    """The status of the answer to a request on a connection of its own."""
    with socket.create_connection((address, 8096), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return int(answer.split()[1])


# Metrics


def name_of(arn, mark):
    return arn.split(mark)[1]


class Read:
    """Metrics by short names, read together."""

    def __init__(self):
        self.queries = {}

    def add(self, key, namespace, name, stat="Sum", **dimensions):
        self.queries[key] = {"MetricStat": {"Stat": stat, "Period": 60, "Metric": {
            "Namespace": namespace, "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()]}}}

    def values(self):
        """All values of each since the script began, the running minute included."""
        urllib.request.urlopen(urllib.request.Request(
            environment("AWS_ENDPOINT_URL") + "/_castle/metrics", method="POST"), timeout=10).read()
        keys = list(self.queries)
        found = cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": f"q{index}", **self.queries[key]} for index, key in enumerate(keys)],
            StartTime=began, EndTime=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=1))
        return {keys[int(result["Id"][1:])]: result["Values"] for result in found["MetricDataResults"]}

    def sums(self):
        return {key: sum(values) for key, values in self.values().items()}


def exactly(read, before, wanted):
    """Returns when what came since is what is wanted: connections end a moment after their last byte."""
    found = {}

    def holds():
        found.update({key: value - before[key] for key, value in read.sums().items()})
        return all(found[key] == value for key, value in wanted.items())

    try:
        until("the numbers", holds, 15)
    except SystemExit:
        equal({key: found[key] for key in wanted}, wanted, "what CloudWatch has")


began = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=2)
grpc_server, grpc_port = calls()
front, address = balancer("metrics-front", "application")
pages = group("pages", "HTTP", site(), HealthCheckTimeoutSeconds=2)
methods = group("methods", "HTTP", grpc_port, ProtocolVersion="GRPC", HealthCheckTimeoutSeconds=2)
listener = elb.create_listener(
    LoadBalancerArn=front, Port=8096, Protocol="HTTP", DefaultActions=forward(pages))["Listeners"][0]["ListenerArn"]
rule(listener, 1, "/fixed", {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}})
rule(listener, 2, "/moved", {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Path": "/ok"}})
certificate, _ = issued("metrics.test")
elb.create_listener(
    LoadBalancerArn=front, Port=8446, Protocol="HTTPS", Certificates=[{"CertificateArn": certificate}],
    DefaultActions=forward(methods))
flows, flow_address = balancer("metrics-flows", "network")
streams, datagrams = group("streams", "TCP", echo_streams()), group("datagrams", "UDP", echo_datagrams())
for port, protocol, arn in [(8097, "TCP", streams), (8098, "UDP", datagrams)]:
    elb.create_listener(LoadBalancerArn=flows, Port=port, Protocol=protocol, DefaultActions=forward(arn))
for arn in [pages, methods, streams]:
    elb.get_waiter("target_in_service").wait(TargetGroupArn=arn, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
end_web_acl = web_acl(front)

# Requests

ALB, NLB, WAF = "AWS/ApplicationELB", "AWS/NetworkELB", "AWS/WAFV2"
front_name, flows_name = name_of(front, ":loadbalancer/"), name_of(flows, ":loadbalancer/")
zones = [zone["ZoneName"] for zone in elb.describe_load_balancers(
    LoadBalancerArns=[front])["LoadBalancers"][0]["AvailabilityZones"]]


def group_name(arn):
    return "targetgroup/" + name_of(arn, ":targetgroup/")


read = Read()
whole = ["RequestCount", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count",
         "HTTPCode_ELB_3XX_Count", "HTTPCode_ELB_4XX_Count", "HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_503_Count",
         "HTTP_Redirect_Count", "HTTP_Fixed_Response_Count", "GrpcRequestCount", "NonStickyRequestCount",
         "UnhealthyRoutingRequestCount"]
for name in whole:
    read.add(name, ALB, name, LoadBalancer=front_name)
read.add("samples", ALB, "RequestCount", "SampleCount", LoadBalancer=front_name)
read.add("times", ALB, "TargetResponseTime", "SampleCount", LoadBalancer=front_name)
for name in ["RequestCount", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_4XX_Count"]:
    read.add(f"pages {name}", ALB, name, LoadBalancer=front_name, TargetGroup=group_name(pages))
read.add("each target", ALB, "RequestCountPerTarget", TargetGroup=group_name(pages))
for name in ["RequestCount", "GrpcRequestCount"]:
    read.add(f"methods {name}", ALB, name, LoadBalancer=front_name, TargetGroup=group_name(methods))
for zone in zones:
    read.add(f"zone {zone}", ALB, "RequestCount", LoadBalancer=front_name, AvailabilityZone=zone)
    read.add(
        f"pages {zone}", ALB, "RequestCount", LoadBalancer=front_name, AvailabilityZone=zone,
        TargetGroup=group_name(pages))
    read.add(f"times {zone}", ALB, "TargetResponseTime", "SampleCount", LoadBalancer=front_name, AvailabilityZone=zone)
edge = {"WebACL": "edge", "Region": REGION}
for key, name, dimensions in [
    ("waf allowed", "AllowedRequests", {"Rule": "ALL"}), ("waf blocked", "BlockedRequests", {"Rule": "ALL"}),
    ("waf default", "AllowedRequests", {"Rule": "Default_Action"}), ("waf admin", "BlockedRequests", {"Rule": "admin"}),
    ("waf watched", "CountedRequests", {"Rule": "watched"}),
    ("waf attack", "BlockedRequests", {"Attack": "SQLInjection"}),
    ("waf phones", "AllowedRequests", {"Device": "Mobile"}),
    ("waf label", "AllowedRequests", {
        "LabelNamespace": "awswaf:000000000000:webacl:metrics:area", "LabelName": "watched"}),
    ("waf blocked label", "BlockedRequests", {
        "LabelNamespace": "awswaf:000000000000:webacl:metrics:area", "LabelName": "admin"}),
]:
    read.add(key, WAF, name, **edge, **dimensions)

before = read.sums()
traffic = [("/ok", 200, 12), ("/slow", 200, 3), ("/missing", 404, 4), ("/broken", 500, 2), ("/fixed", 503, 5),
           ("/moved", 301, 6), ("/admin", 403, 7), ("/x?a=1%27%20or%20%271%27%3D%271", 403, 2)]
for path, status, count in traffic:
    for _ in range(count):
        equal(ask(path, BROWSER if path == "/missing" else ""), status, path)
with open(authority, "rb") as file, grpc.secure_channel(
    f"{address}:8446", grpc.ssl_channel_credentials(file.read()),
    options=[("grpc.ssl_target_name_override", "www.metrics.test")],
) as channel:
    for number in range(5):
        equal(channel.unary_unary("/castle.Test/Echo")(b"a", timeout=20), b"a", "a call")
exactly(read, before, {
    # Only requests for which a target was chosen: 12 + 3 + 4 + 2, and the calls.
    "RequestCount": 26, "samples": 26, "times": 26, "pages RequestCount": 21, "each target": 21,
    "HTTPCode_Target_2XX_Count": 20, "HTTPCode_Target_4XX_Count": 4, "HTTPCode_Target_5XX_Count": 2,
    "pages HTTPCode_Target_2XX_Count": 15, "pages HTTPCode_Target_4XX_Count": 4,
    "HTTPCode_ELB_3XX_Count": 6, "HTTPCode_ELB_4XX_Count": 9, "HTTPCode_ELB_5XX_Count": 5,
    "HTTPCode_ELB_503_Count": 5, "HTTP_Redirect_Count": 6, "HTTP_Fixed_Response_Count": 5,
    "GrpcRequestCount": 5, "methods RequestCount": 5, "methods GrpcRequestCount": 5, "NonStickyRequestCount": 0,
    "UnhealthyRoutingRequestCount": 0,
    "waf allowed": 37, "waf default": 37, "waf blocked": 9, "waf admin": 7, "waf watched": 12, "waf attack": 2,
    "waf phones": 4, "waf label": 12, "waf blocked label": 7,
})
now = read.sums()
for key, wanted in [("zone", 26), ("pages", 21), ("times", 26)]:
    found = sum(now[f"{key} {zone}"] - before[f"{key} {zone}"] for zone in zones)
    equal(found, wanted, f"the zones' {key} together")

# Gauges and percentiles

state = Read()
target = {"LoadBalancer": front_name, "TargetGroup": group_name(pages)}
for stat in ["Minimum", "p50", "p95", "Maximum"]:
    state.add(stat, ALB, "TargetResponseTime", stat, **target)
for name in ["HealthyHostCount", "UnHealthyHostCount", "HealthyStateDNS", "UnhealthyStateDNS", "HealthyStateRouting",
             "UnhealthyStateRouting", "AnomalousHostCount", "MitigatedHostCount"]:
    state.add(name, ALB, name, "Maximum", **target)
state.add("zone's DNS", ALB, "HealthyStateDNS", "Maximum", AvailabilityZone=zones[0], **target)
for name in ["ActiveConnectionCount", "ConsumedLCUs", "PeakLCUs"]:
    state.add(name, ALB, name, "Maximum", LoadBalancer=front_name)
highest = {key: max(values, default=None) for key, values in state.values().items()}
for key, wanted in [
    ("HealthyHostCount", 1), ("HealthyStateDNS", len(zones)), ("HealthyStateRouting", len(zones)), ("zone's DNS", 1),
    ("AnomalousHostCount", 0), ("MitigatedHostCount", 0),
]:
    equal(highest[key], wanted, key)
# Three of 21 took so long; buckets are an eighth of their value wide.
check(highest["p95"] > SLOW * 0.8 and highest["Maximum"] > SLOW * 0.8, highest)
check(0 < highest["Minimum"] <= highest["p50"] <= highest["p95"] <= highest["Maximum"], highest)
check(highest["ActiveConnectionCount"] >= 1 and 0 < highest["ConsumedLCUs"] <= highest["PeakLCUs"], highest)

# Flows

read = Read()
for name in ["NewFlowCount", "NewFlowCount_TCP", "NewFlowCount_UDP", "ProcessedBytes", "ProcessedBytes_TCP",
             "ProcessedBytes_UDP", "TCP_Client_Reset_Count", "TCP_Target_Reset_Count", "TCP_ELB_Reset_Count",
             "RejectedFlowCount", "UnhealthyRoutingFlowCount", "PortAllocationErrorCount", "ProcessedPackets"]:
    read.add(name, NLB, name, LoadBalancer=flows_name)
    for zone in zones:
        read.add(f"{name} {zone}", NLB, name, LoadBalancer=flows_name, AvailabilityZone=zone)
before = read.sums()
for number in range(6):
    with socket.create_connection((flow_address, 8097), timeout=10) as connection:
        connection.sendall(b"hello")
        equal(connection.recv(100), b"hello", "the echo")
        if number == 0:
            reset(connection)
        elif number == 1:
            connection.sendall(b"reset")
            try:
                check(connection.recv(100) and False, "an answer instead of a reset")
            except ConnectionResetError:
                pass
for _ in range(2):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(10)
        for _ in range(3):
            connection.sendto(b"hi", (flow_address, 8098))
            equal(connection.recv(100), b"hi", "the datagram's echo")
exactly(read, before, {
    "NewFlowCount": 8, "NewFlowCount_TCP": 6, "NewFlowCount_UDP": 2, "ProcessedBytes": 6 * 10 + 5 + 12 * 2,
    "ProcessedBytes_TCP": 6 * 10 + 5, "ProcessedBytes_UDP": 12 * 2, "TCP_Client_Reset_Count": 1,
    "TCP_Target_Reset_Count": 1, "TCP_ELB_Reset_Count": 0, "RejectedFlowCount": 0, "PortAllocationErrorCount": 0,
    # Nobody listens where the datagrams' target is probed, by TCP.
    "UnhealthyRoutingFlowCount": 2,
})
now = read.sums()
for key, wanted in [("NewFlowCount", 8), ("ProcessedBytes_TCP", 65), ("TCP_Client_Reset_Count", 1)]:
    found = sum(now[f"{key} {zone}"] - before[f"{key} {zone}"] for zone in zones)
    equal(found, wanted, f"the zones' {key} together")
packets = now["ProcessedPackets"] - before["ProcessedPackets"]
# Each connection's handshake and a segment each way at least.
check(packets >= 12 + 6 * 5, f"{packets} packets")

end_web_acl()
for arn in [front, flows]:
    elb.delete_load_balancer(LoadBalancerArn=arn)
for arn in [pages, methods, streams, datagrams]:
    elb.delete_target_group(TargetGroupArn=arn)
grpc_server.stop(None).wait()
say(requests=26, flows=8, slowest=round(highest["Maximum"], 3), packets=int(packets))
