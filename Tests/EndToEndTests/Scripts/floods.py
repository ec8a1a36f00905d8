"""Attacks as boto3 sees them: connections that keep load balancers of both kinds waiting are recognised and held back,
Shield has them with sources and mitigations, CloudWatch has them while they go on, and who else is there is served."""

import socket
import threading
import time
from datetime import datetime, timedelta, timezone

from castle import check, client, equal, say, until

shield, elb, ec2, watch, waf = (client(name) for name in ("shield", "elbv2", "ec2", "cloudwatch", "wafv2"))
subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]


class Honest:
    """Somebody who goes on asking, from an address of their own."""

    def __init__(self, ask):
        self.good = self.bad = 0
        self.is_over = threading.Event()
        self.ask = ask
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.is_over.wait(0.05):
            try:
                served = self.ask()
            except OSError:
                served = False
            if served:
                self.good += 1
            else:
                self.bad += 1

    def end(self):
        self.is_over.set()
        self.thread.join()


def connect(address, port, source):
    return socket.create_connection((address, port), timeout=10, source_address=(source, 0))


def address_of(name):
    elb.get_waiter("load_balancer_available").wait(Names=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return elb.describe_load_balancers(Names=[name])["LoadBalancers"][0]["DNSName"].split(":")[0]


def attacked(address, port, resource, ask, words, layer):
    """Five connections from each of thirty sources that say no more than this; the attack that becomes of it."""
    began = time.time()
    honest = Honest(ask)
    idle = [connect(address, port, f"127.9.{number}.1") for number in range(30) for _ in range(5)]
    for one in idle:
        one.sendall(words)
    try:
        found = until(
            "the attack is listed",
            lambda: [each for each in shield.list_attacks(ResourceArns=[resource])["AttackSummaries"]], 30)
        seconds = time.time() - began
        ident = found[0]["AttackId"]
        equal([vector["VectorType"] for vector in found[0]["AttackVectors"]], ["SLOWLORIS"], "its vectors")

        def mitigated():
            detail = shield.describe_attack(AttackId=ident)["Attack"]
            return detail if detail["Mitigations"] else None

        detail = until("it is mitigated", mitigated, 20)

        def measured():
            now = datetime.now(timezone.utc)
            answer = watch.get_metric_data(
                StartTime=now - timedelta(minutes=10), EndTime=now + timedelta(minutes=10), MetricDataQueries=[{
                    "Id": "detected", "MetricStat": {"Period": 60, "Stat": "Maximum", "Metric": {
                        "Namespace": "AWS/DDoSProtection", "MetricName": "DDoSDetected",
                        "Dimensions": [{"Name": "ResourceArn", "Value": resource}]}}}])
            return 1.0 in answer["MetricDataResults"][0]["Values"]

        until("CloudWatch is told", measured, 20)
    finally:
        for one in idle:
            one.close()
    equal(detail["ResourceArn"], resource, "what was attacked")
    heaviest = detail["AttackProperties"][0]
    equal(heaviest["AttackLayer"], layer, "the layer")
    names = [each["Name"] for each in heaviest["TopContributors"]]
    check(len(names) == 20 and all(name.startswith("127.9.") for name in names), f"who carried it: {names}")
    counter = detail["AttackCounters"][0]
    check(counter["Max"] > 100 and counter["N"] > 0, f"how much it was: {counter}")
    over = until("it is over", lambda: shield.describe_attack(AttackId=ident)["Attack"].get("EndTime"), 40)
    check(over >= detail["StartTime"], "it ends behind its beginning")
    honest.end()
    check(honest.good > 20 and honest.bad == 0, f"others: {honest.good} served, {honest.bad} not")
    return round(seconds, 2)


def protect(name, resource):
    shield.create_protection(Name=name, ResourceArn=resource)


if shield.get_subscription_state()["SubscriptionState"] != "ACTIVE":
    shield.create_subscription()

# An application load balancer, and clients that never end their heads.
front = elb.create_load_balancer(Name="flooded", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
elb.create_listener(LoadBalancerArn=front, Port=8091, Protocol="HTTP", DefaultActions=[{
    "Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "served"}}])
protect("front", front)
place = address_of("flooded")


def ask():
    with connect(place, 8091, "127.1.0.1") as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b" 200 " in connection.recv(1000)


heads = attacked(place, 8091, front, ask, b"GET / HTTP/1.1\r\nHost: x\r\n", "APPLICATION")

# Who took part is limited for a day where the automatic response is on: counted first, then refused.
seen = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "front"}
acl = waf.create_web_acl(
    Name="front", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=seen, Rules=[])["Summary"]
waf.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=front)
shield.enable_application_layer_automatic_response(ResourceArn=front, Action={"Count": {}})
group = waf.get_web_acl(Name="front", Scope="REGIONAL", Id=acl["Id"])["WebACL"]["Rules"][0]
check(group["Name"].startswith(f"ShieldMitigationRuleGroup_000000000000_{acl['Id']}_"), f"the group: {group}")
equal((group["Priority"], group["OverrideAction"]), (10_000_000, {"None": {}}), "its place")


def statuses(source, count):
    """What becomes of so many requests on one connection; nothing of those that found none."""
    found = []
    try:
        with connect(place, 8091, source) as connection:
            for _ in range(count):
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = connection.recv(2000)
                if not answer:
                    break
                found.append(int(answer.split()[1]))
    except OSError:
        pass
    return found


def counted():
    statuses("127.9.3.1", 60)
    now = datetime.now(timezone.utc)
    return [each for each in waf.get_sampled_requests(
        WebAclArn=acl["ARN"], RuleMetricName=group["VisibilityConfig"]["MetricName"], Scope="REGIONAL", MaxItems=100,
        TimeWindow={"StartTime": now - timedelta(minutes=10), "EndTime": now + timedelta(minutes=1)}
    )["SampledRequests"] if each["Action"] == "COUNT"]


sample = until("requests of somebody who took part are counted", counted, 30)[0]
equal((sample["RuleNameWithinRuleGroup"], sample["Request"]["ClientIP"]),
      ("ShieldKnownOffenderIPRateBasedRule", "127.9.3.1"), "what was counted")
served = until("they are served", lambda: statuses("127.9.3.1", 20), 20)
equal(set(served), {200}, "what is counted only")
shield.update_application_layer_automatic_response(ResourceArn=front, Action={"Block": {}})
until("they are refused", lambda: set(statuses("127.9.3.1", 20)) == {403}, 30)
equal(set(statuses("127.1.0.1", 20)), {200}, "somebody else's")
shield.disable_application_layer_automatic_response(ResourceArn=front)
equal(waf.get_web_acl(Name="front", Scope="REGIONAL", Id=acl["Id"])["WebACL"]["Rules"], [], "the rules behind it")
until("they are served again", lambda: set(statuses("127.9.3.1", 20)) == {200}, 30)

# A network load balancer with an Elastic IP address, and clients that say nothing.
target = socket.create_server(("127.0.0.1", 0), backlog=512)


def echo(connection):
    with connection:
        while text := connection.recv(1000):
            connection.sendall(text)


def serve():
    while True:
        threading.Thread(target=echo, args=(target.accept()[0],), daemon=True).start()


threading.Thread(target=serve, daemon=True).start()
elastic = ec2.allocate_address(Domain="vpc")["AllocationId"]
flows = elb.create_load_balancer(
    Name="drowned", Type="network", SubnetMappings=[{"SubnetId": subnets[0], "AllocationId": elastic}]
)["LoadBalancers"][0]["LoadBalancerArn"]
vpc = ec2.describe_subnets(SubnetIds=subnets[:1])["Subnets"][0]["VpcId"]
group = elb.create_target_group(
    Name="drowned", Protocol="TCP", Port=80, VpcId=vpc, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1", "Port": target.getsockname()[1]}])
elb.create_listener(
    LoadBalancerArn=flows, Protocol="TCP", Port=8055, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
resource = f"arn:aws:ec2:us-east-1:000000000000:eip-allocation/{elastic}"
protect("flows", resource)
there = address_of("drowned")


def say_something():
    with connect(there, 8055, "127.1.0.1") as connection:
        connection.sendall(b"something")
        return connection.recv(100) == b"something"


def reached():
    try:
        return say_something()
    except OSError:
        return False


until("the target is reached", reached)
silent = attacked(there, 8055, resource, say_something, b"", "NETWORK")
both = shield.list_attacks(ResourceArns=[flows])["AttackSummaries"]
equal([each["ResourceArn"] for each in both], [resource], "the attack by its load balancer")
for arn in (front, flows):
    elb.delete_load_balancer(LoadBalancerArn=arn)
say(heads=heads, silent=silent)
