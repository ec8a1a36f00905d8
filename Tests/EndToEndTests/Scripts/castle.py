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
