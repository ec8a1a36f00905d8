"""What the scripts share: clients of the castle that the environment names, and checks that say what they saw."""

import json
import os
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# One attempt: a retry would hide what the tests count.
ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30)


def client(service, **more):
    config = ONCE.merge(more.pop("config")) if "config" in more else ONCE
    return boto3.client(service, config=config, **more)


def check(condition, what):
    if not condition:
        sys.exit(f"not so: {what}")


def equal(found, wanted, what):
    check(found == wanted, f"{what}: {found!r} is not {wanted!r}")


def refused(call):
    """The error that a call is refused with: code, HTTP status, message."""
    try:
        answer = call()
    except ClientError as error:
        return (
            error.response["Error"]["Code"],
            error.response["ResponseMetadata"]["HTTPStatusCode"],
            error.response["Error"].get("Message", ""),
        )
    sys.exit(f"not refused: {answer!r}")


def until(what, condition, seconds=60):
    """What the condition gives, as soon as that is true."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        check(time.monotonic() < deadline, f"{what}, within {seconds} s")
        time.sleep(0.05)


def issued(domain):
    """A certificate's ARN for a domain and its hosts, asked of ACM and proven through Route 53, and the domain's zone."""
    acm, dns = client("acm"), client("route53")
    zone = dns.create_hosted_zone(Name=domain, CallerReference=domain)["HostedZone"]["Id"]
    arn = acm.request_certificate(
        DomainName=domain, SubjectAlternativeNames=[f"*.{domain}"], ValidationMethod="DNS")["CertificateArn"]
    found = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    record = found["DomainValidationOptions"][0]["ResourceRecord"]
    dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{
        "Action": "UPSERT",
        "ResourceRecordSet": {
            "Name": record["Name"], "Type": record["Type"], "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]},
    }]})
    acm.get_waiter("certificate_validated").wait(CertificateArn=arn, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return arn, zone


class Front:
    """A load balancer in front of servers of the script's own, on 127.0.0.1."""

    def __init__(self, name):
        self.name = name
        self.elb, ec2 = client("elbv2"), client("ec2")
        found = sorted(ec2.describe_subnets()["Subnets"], key=lambda subnet: subnet["AvailabilityZone"])
        subnets = [subnet["SubnetId"] for subnet in found][:2]
        self.vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        made = self.elb.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]
        self.arn = made["LoadBalancerArn"]
        self.groups = []

    def described(self):
        return self.elb.describe_load_balancers(LoadBalancerArns=[self.arn])["LoadBalancers"][0]

    @property
    def address(self):
        return self.described()["DNSName"].split(":")[0]

    def group(self, port, **more):
        """A target group with one target."""
        settings = {
            "Name": f"{self.name}-{len(self.groups)}", "Protocol": "HTTP", "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2, **more}
        group = self.elb.create_target_group(
            Port=port, VpcId=self.vpc, TargetType="ip", **settings)["TargetGroups"][0]["TargetGroupArn"]
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1", "Port": port}])
        self.groups.append(group)
        return group

    def listener(self, port, action, certificate=None, **more):
        """Over HTTPS with a certificate. The action is one, or the target group to forward to."""
        actions = [{"Type": "forward", "TargetGroupArn": action}] if isinstance(action, str) else [action]
        if certificate:
            more |= {"Protocol": "HTTPS", "Certificates": [{"CertificateArn": certificate}]}
        return self.elb.create_listener(
            LoadBalancerArn=self.arn, Port=port, DefaultActions=actions, **{"Protocol": "HTTP", **more},
        )["Listeners"][0]["ListenerArn"]

    def until_healthy(self):
        for group in self.groups:
            self.elb.get_waiter("target_in_service").wait(
                TargetGroupArn=group, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    def end(self):
        self.elb.delete_load_balancer(LoadBalancerArn=self.arn)
        for group in self.groups:
            self.elb.delete_target_group(TargetGroupArn=group)


def stack_settled(cloudformation, name, seconds=120):
    def done():
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    stack = until(f"the stack {name} settles", done, seconds)
    if "ROLLBACK" in stack["StackStatus"] or "FAILED" in stack["StackStatus"]:
        for event in cloudformation.describe_stack_events(StackName=name)["StackEvents"]:
            if event["ResourceStatus"].endswith("FAILED"):
                print(event["LogicalResourceId"], event.get("ResourceStatusReason"), file=sys.stderr)
    return stack


def say(**facts):
    print(json.dumps(facts), flush=True)


def environment(name):
    return os.environ[name]
