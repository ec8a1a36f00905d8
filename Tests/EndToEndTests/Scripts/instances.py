"""The machine is an EC2 instance: a program that listens on it is registered by the instance's id behind an application
and a network load balancer, found healthy, answers through both, sees the client's address, and is drained."""

import http.server
import socket
import threading
import urllib.request

from castle import Front, check, client, environment, equal, refused, say, until

elb, ec2, cloudformation = (client(name) for name in ("elbv2", "ec2", "cloudformation"))
# Requests for /slow wait for it.
go_on = threading.Event()
waiting = threading.Event()


class Site(http.server.BaseHTTPRequestHandler):
    """Answers with who asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/slow":
            waiting.set()
            go_on.wait(30)
        text = f"{self.server.server_address[1]} {self.client_address[0]}".encode()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))

    def log_message(self, *_):
        pass


def site():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def datagrams():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve():
        while True:
            text, source = server.recvfrom(65536)
            server.sendto(text + b" " + source[0].encode(), source)

    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


def ask(port, path="/", source="127.0.0.1"):
    """The port that answered, and whom it saw."""
    with socket.create_connection((address, port), timeout=40, source_address=(source, 0)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        # A target behind a flow may keep its connection: one answer is enough.
        while not answer.partition(b"\r\n\r\n")[2]:
            piece = connection.recv(65536)
            check(piece, f"an answer at port {port}")
            answer += piece
    told, seen = answer.partition(b"\r\n\r\n")[2].decode().split()
    return int(told), seen


def group(name, protocol, *ports, **more):
    made = elb.create_target_group(
        Name=name, Protocol=protocol, Port=ports[0], VpcId=vpc, HealthCheckIntervalSeconds=5,
        HealthyThresholdCount=2, **more)["TargetGroups"][0]
    equal(made["TargetType"], "instance", "the type that AWS takes where none is said")
    arn = made["TargetGroupArn"]
    # The first port is the group's own.
    elb.register_targets(TargetGroupArn=arn, Targets=[
        {"Id": machine} if port == ports[0] else {"Id": machine, "Port": port} for port in ports])
    return arn


def states(arn):
    found = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    check(all(one["Target"]["Id"] == machine for one in found), "targets are told by the instance's id")
    return {one["Target"]["Port"]: one["TargetHealth"]["State"] for one in found}


def listen(balancer, protocol, port, arn):
    elb.create_listener(LoadBalancerArn=balancer, Protocol=protocol, Port=port, DefaultActions=[
        {"Type": "forward", "TargetGroupArn": arn}])


# The instance

reservations = ec2.describe_instances()["Reservations"]
equal([len(one["Instances"]) for one in reservations], [1], "the instances")
instance = reservations[0]["Instances"][0]
machine, zone, vpc = instance["InstanceId"], instance["Placement"]["AvailabilityZone"], instance["VpcId"]
equal((instance["State"]["Name"], instance["PrivateIpAddress"]), ("running", "127.0.0.1"), "the instance")
ec2.get_waiter("instance_running").wait(InstanceIds=[machine])
ec2.get_waiter("instance_status_ok").wait(InstanceIds=[machine])
ec2.create_tags(Resources=[machine], Tags=[{"Key": "Name", "Value": "workstation"}])
pages = ec2.get_paginator("describe_instances").paginate(Filters=[{"Name": "tag:Name", "Values": ["work*"]}])
equal([one["Reservations"][0]["Instances"][0]["InstanceId"] for one in pages], [machine], "the instance by its name")
equal(
    refused(lambda: ec2.describe_instances(InstanceIds=["i-0123456789abcdef0"])),
    ("InvalidInstanceID.NotFound", 400, "The instance ID 'i-0123456789abcdef0' does not exist"), "a stranger")
equal(
    refused(lambda: ec2.describe_instances(InstanceIds=["workstation"])),
    ("InvalidInstanceID.Malformed", 400, 'Invalid id: "workstation"'), "what is no id")
for name, call in {
    "RunInstances": lambda: ec2.run_instances(MinCount=1, MaxCount=1),
    "StopInstances": lambda: ec2.stop_instances(InstanceIds=[machine]),
    "TerminateInstances": lambda: ec2.terminate_instances(InstanceIds=[machine]),
}.items():
    code, status, message = refused(call)
    equal((code, status), ("NotImplemented", 501), name)
    check(name in message, f"{name} says {message!r}")

# Behind an application load balancer

front = Front("instances")
one, two = site(), site()
web = group("instances-web", "HTTP", one, two)
front.groups.append(web)
front.listener(8110, web)
address = front.address
until("both ports are healthy", lambda: states(web) == {one: "healthy", two: "healthy"})
equal({ask(8110)[0] for _ in range(10)}, {one, two}, "who answers")
stranger = [{"Id": "i-0123456789abcdef0"}]
equal(
    refused(lambda: elb.register_targets(TargetGroupArn=web, Targets=stranger)),
    ("InvalidTarget", 400, "The following targets are not valid instances: 'i-0123456789abcdef0'"), "a stranger")

urllib.request.urlopen(
    urllib.request.Request(environment("AWS_ENDPOINT_URL") + "/_castle/metrics", method="POST"), timeout=10).read()
dimensions = {
    "LoadBalancer": front.arn.partition("loadbalancer/")[2], "TargetGroup": web.rpartition(":")[2],
    "AvailabilityZone": zone}
listed = client("cloudwatch").list_metrics(Namespace="AWS/ApplicationELB", MetricName="HealthyHostCount", Dimensions=[
    {"Name": name, "Value": value} for name, value in dimensions.items()])["Metrics"]
equal(len(listed), 1, "the healthy hosts of the instance's zone")

# A request in flight holds its target in draining; then it is gone.
slow = []
asking = threading.Thread(target=lambda: slow.append(ask(8110, "/slow")))
asking.start()
check(waiting.wait(30), "the slow request came to a target")
elb.deregister_targets(TargetGroupArn=web, Targets=[{"Id": machine, "Port": one}, {"Id": machine, "Port": two}])
# The idle one may be gone already.
equal(set(states(web).values()), {"draining"}, "a target with a request in flight")
go_on.set()
asking.join()
check(slow and slow[0][0] in (one, two), f"the request in flight was answered: {slow}")
until("drained targets are gone", lambda: states(web) == {})

# Behind a network load balancer, in the machine's zone

subnet = instance["SubnetId"]
made = elb.create_load_balancer(Name="instances-net", Type="network", Subnets=[subnet])["LoadBalancers"][0]
network = made["LoadBalancerArn"]
udp = datagrams()
flows = group("instances-tcp", "TCP", one, two)
# UDP is probed over TCP, at a port that listens for it.
packets = group("instances-udp", "UDP", udp, HealthCheckProtocol="TCP", HealthCheckPort=str(one))
listen(network, "TCP", 8111, flows)
listen(network, "UDP", 8112, packets)
elb.get_waiter("load_balancer_available").wait(
    LoadBalancerArns=[network], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
address = elb.describe_load_balancers(LoadBalancerArns=[network])["LoadBalancers"][0]["DNSName"].split(":")[0]
until("flows have healthy targets", lambda: states(flows) == {one: "healthy", two: "healthy"})
until("datagrams have a healthy target", lambda: states(packets) == {udp: "healthy"})
answers = [ask(8111, source="127.2.0.9") for _ in range(20)]
equal({port for port, _ in answers}, {one, two}, "who takes connections")
equal({source for _, source in answers}, {"127.2.0.9"}, "whom instances see")
elb.modify_target_group_attributes(
    TargetGroupArn=flows, Attributes=[{"Key": "preserve_client_ip.enabled", "Value": "false"}])
check(ask(8111, source="127.2.0.9")[1] != "127.2.0.9", "the client's address is kept from targets when asked for")
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.settimeout(10)
    sender.bind(("127.2.0.9", 0))
    sender.sendto(b"hello", (address, 8112))
    equal(sender.recv(100), b"hello 127.2.0.9", "a datagram, and whom the instance sees")
elb.deregister_targets(TargetGroupArn=flows, Targets=[{"Id": machine, "Port": two}])
equal(states(flows).get(two, "draining"), "draining", "a deregistered target, while it is told")
equal({ask(8111)[0] for _ in range(10)}, {one}, "who takes connections then")

# Out of a template

cloudformation.create_stack(StackName="instances", TemplateBody=f"""
Resources:
  Group:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      Protocol: HTTP
      Port: {one}
      VpcId: {vpc}
      Targets: [{{Id: {machine}}}, {{Id: {machine}, Port: {two}}}]
Outputs:
  Group: {{Value: !Ref Group}}
""")
cloudformation.get_waiter("stack_create_complete").wait(
    StackName="instances", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
output = cloudformation.describe_stacks(StackName="instances")["Stacks"][0]["Outputs"][0]["OutputValue"]
equal(states(output), {one: "unused", two: "unused"}, "the stack's targets")
cloudformation.delete_stack(StackName="instances")

elb.delete_load_balancer(LoadBalancerArn=network)
for arn in (flows, packets):
    elb.delete_target_group(TargetGroupArn=arn)
front.end()
say(done=True)
