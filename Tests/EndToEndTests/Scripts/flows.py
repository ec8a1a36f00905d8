"""A network load balancer made through the API: datagrams of UDP and TCP_UDP listeners reach their target and come back,
connections beside them too, and a limit in a tag holds for datagrams."""

import socket
import threading

from castle import check, client, equal, refused, say, until

elb, ec2 = client("elbv2"), client("ec2")


def server():
    """One port for both: what comes is answered with its protocol in front."""
    while True:
        stream = socket.create_server(("127.0.0.1", 0))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagrams.bind(stream.getsockname())
            break
        except OSError:
            # Another one's: the next try gets another port.
            stream.close()
            datagrams.close()

    def answer_datagrams():
        while True:
            text, source = datagrams.recvfrom(65536)
            datagrams.sendto(b"udp " + text, source)

    def answer(connection):
        with connection:
            while text := connection.recv(65536):
                connection.sendall(b"tcp " + text)

    def answer_connections():
        while True:
            threading.Thread(target=answer, args=(stream.accept()[0],), daemon=True).start()

    for work in (answer_datagrams, answer_connections):
        threading.Thread(target=work, daemon=True).start()
    return stream.getsockname()[1]


def group(name, protocol, port):
    made = elb.create_target_group(
        Name=name, Protocol=protocol, Port=port, VpcId=subnet["VpcId"], TargetType="ip", HealthCheckProtocol="TCP",
        HealthCheckIntervalSeconds=5, HealthyThresholdCount=2)["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=made, Targets=[{"Id": "127.0.0.1", "Port": port}])
    return made


def listen(protocol, port, target_group):
    elb.create_listener(
        LoadBalancerArn=balancer, Protocol=protocol, Port=port,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group}])


def healthy(target_group):
    states = elb.describe_target_health(TargetGroupArn=target_group)["TargetHealthDescriptions"]
    return [state["TargetHealth"]["State"] for state in states] == ["healthy"]


def client_of(port, source="127.0.0.1", seconds=10):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(seconds)
    made.bind((source, 0))
    made.connect((address, port))
    return made


def told(datagrams, text):
    datagrams.send(text)
    try:
        return datagrams.recv(65536)
    except TimeoutError:
        return None


subnet = ec2.describe_subnets()["Subnets"][0]
made = elb.create_load_balancer(Name="flows", Type="network", Subnets=[subnet["SubnetId"]])["LoadBalancers"][0]
balancer = made["LoadBalancerArn"]
port = server()
plain, both = group("plain", "UDP", port), group("both", "TCP_UDP", port)
listen("UDP", 8053, plain)
listen("TCP_UDP", 8054, both)
elb.get_waiter("load_balancer_available").wait(Names=["flows"], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
address = elb.describe_load_balancers(Names=["flows"])["LoadBalancers"][0]["DNSName"].split(":")[0]
for one in (plain, both):
    until("the target is healthy", lambda: healthy(one))

for listener in (8053, 8054):
    with client_of(listener) as first, client_of(listener, "127.1.0.1") as second:
        for text in (b"one", b"", b"x" * 9000):
            equal(told(first, text), b"udp " + text, f"a datagram through port {listener}")
        equal(told(second, b"two"), b"udp two", "a datagram of another client")
with socket.create_connection((address, 8054), timeout=10) as connection:
    connection.sendall(b"three")
    equal(connection.recv(100), b"tcp three", "a connection through the port of both")
check(socket.socket().connect_ex((address, 8053)) != 0, "a port for UDP takes no connections")

limit = {"Key": "castle:shield:datagrams", "Value": "0.01"}
code, _, message = refused(lambda: elb.add_tags(ResourceArns=[balancer], Tags=[limit | {"Value": "few"}]))
equal(code, "ValidationError", "a limit that is no number")
check("'castle:shield:datagrams'" in message, message)
elb.add_tags(ResourceArns=[balancer], Tags=[limit])
with client_of(8053, "127.1.0.2", 0.5) as greedy, client_of(8053, "127.1.0.3") as modest:
    passed = 0
    while passed <= 1000 and told(greedy, b"more"):
        passed += 1
    # The burst is a hundred on each loop; one flow is on one of them.
    equal(passed, 100, "datagrams of one source")
    equal(told(modest, b"four"), b"udp four", "a datagram of another source")

elb.delete_load_balancer(LoadBalancerArn=balancer)
say(done=True)
