"""clients.py STATE: rules that know clients by what they are: by their TLS, their network, the lists they are on.

STATE is the castle's folder, which holds the user's files.
"""

import json
import os
import socket
import ssl
import subprocess
import sys

from castle import check, client, equal, issued, refused, say, until

folder = os.path.join(sys.argv[1], "wafv2")
waf, elb, ec2, logs = (client(name) for name in ("wafv2", "elbv2", "ec2", "logs"))
REGIONAL = {"Scope": "REGIONAL"}
PLAIN = [{"Priority": 0, "Type": "NONE"}]


def seen(name):
    return {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}


def rule(name, priority, statement, code=None, **more):
    if "OverrideAction" not in more:
        more["Action"] = {"Block": {"CustomResponse": {"ResponseCode": code}}}
    return {"Name": name, "Priority": priority, "Statement": statement, "VisibilityConfig": seen(name), **more}


def managed(name, priority, **more):
    statement = {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": f"AWSManagedRules{name}", **more}}
    return rule(name, priority, statement, OverrideAction={"None": {}})


def status(target="/", source="127.0.0.1", tls=False, **headers):
    with socket.create_connection((address, 8443 if tls else 8092), timeout=10, source_address=(source, 0)) as plain:
        connection = context.wrap_socket(plain, server_hostname="clients.test") if tls else plain
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        connection.sendall(
            f"GET {target} HTTP/1.1\r\nHost: x\r\nUser-Agent: test\r\n{lines}Connection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return int(answer.split()[1])


def curl():
    """The same load balancer by a client with another hello."""
    return subprocess.run(
        ["curl", "-sk", "-o", os.devnull, "-w", "%{http_code}", "--resolve", f"clients.test:8443:{address}",
         "https://clients.test:8443/"], capture_output=True, text=True, check=True).stdout


def fingerprints():
    """Of this script's own hello, as the log tells them."""
    def lines():
        # The web ACL may not have been there for those before.
        equal(status(tls=True), 200, "a request over TLS")
        found = logs.filter_log_events(logGroupName="aws-waf-logs-clients")["events"]
        return [line for line in (json.loads(event["message"]) for event in found) if "ja4Fingerprint" in line]

    line = until("the log tells fingerprints", lines)[0]
    return line["ja3Fingerprint"], line["ja4Fingerprint"]


def update(rules):
    now = waf.get_web_acl(Name="clients", Id=ident, **REGIONAL)
    waf.update_web_acl(
        Name="clients", Id=ident, LockToken=now["LockToken"], DefaultAction={"Allow": {}},
        VisibilityConfig=seen("clients"), Rules=rules, **REGIONAL)


def match(field, text, position="EXACTLY"):
    return {"ByteMatchStatement": {
        "SearchString": text.encode(), "FieldToMatch": {field: {"FallbackBehavior": "NO_MATCH"}},
        "TextTransformations": PLAIN, "PositionalConstraint": position}}


context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
arn = elb.create_load_balancer(Name="clients", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
served = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "served"}}]
elb.create_listener(LoadBalancerArn=arn, Port=8092, Protocol="HTTP", DefaultActions=served)
elb.create_listener(
    LoadBalancerArn=arn, Port=8443, Protocol="HTTPS", DefaultActions=served,
    Certificates=[{"CertificateArn": issued("clients.test")[0]}])
elb.get_waiter("load_balancer_available").wait(Names=["clients"], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
address = elb.describe_load_balancers(Names=["clients"])["LoadBalancers"][0]["DNSName"].split(":")[0]

acl = waf.create_web_acl(
    Name="clients", DefaultAction={"Allow": {}}, VisibilityConfig=seen("clients"), Rules=[], **REGIONAL)["Summary"]
ident = acl["Id"]
logs.create_log_group(logGroupName="aws-waf-logs-clients")
waf.put_logging_configuration(LoggingConfiguration={
    "ResourceArn": acl["ARN"],
    "LogDestinationConfigs": ["arn:aws:logs:us-east-1:000000000000:log-group:aws-waf-logs-clients"]})
waf.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=arn)
ja3, ja4 = fingerprints()
check(len(ja3) == 32 and ja4.startswith("t13d"), (ja3, ja4))

update([rule("ja3", 0, match("JA3Fingerprint", ja3), 451)])
until("known by JA3", lambda: status(tls=True) == 451)
equal((status(), curl()), (200, "200"), "without TLS, and another client")
update([rule("ja4", 0, match("JA4Fingerprint", ja4), 452)])
until("known by JA4", lambda: status(tls=True) == 452)
equal((status(), curl()), (200, "200"), "without TLS, and another client")
wrong = [rule("part", 0, match("JA4Fingerprint", "t13d", "STARTS_WITH"), 452)]
equal(refused(lambda: update(wrong))[0], "WAFInvalidParameterException", "a part of a fingerprint")

update([
    rule("owner", 0, {"AsnMatchStatement": {"AsnList": [64496]}}, 453),
    rule("forwarded", 1, {"AsnMatchStatement": {
        "AsnList": [64497], "ForwardedIPConfig": {"HeaderName": "X-Forwarded-For", "FallbackBehavior": "NO_MATCH"}}}, 454),
    managed("AmazonIpReputationList", 2), managed("AnonymousIpList", 3),
    managed("UnixRuleSet", 4, RuleActionOverrides=[{"Name": "NotThere", "ActionToUse": {"Count": {}}}]),
    managed("WindowsRuleSet", 5), managed("PHPRuleSet", 6), managed("WordPressRuleSet", 7),
    rule("rate", 8, {"RateBasedStatement": {
        "Limit": 10, "EvaluationWindowSec": 60, "AggregateKeyType": "CUSTOM_KEYS",
        "CustomKeys": [{"ASN": {}}, {"JA4Fingerprint": {"FallbackBehavior": "NO_MATCH"}}]}}, 429),
])
until("commands are found", lambda: status("/?a=%3Bcat%20/etc/hosts") == 403)
equal(status("/xmlrpc.php"), 403, "a path of WordPress")
equal(status(source="127.0.71.1"), 200, "nobody's network")
os.makedirs(folder, exist_ok=True)
with open(os.path.join(folder, "networks.csv"), "w", encoding="utf-8") as file:
    file.write("network,asn\n127.0.71.0/24,64496\n127.0.72.0/24,AS64497\n")
with open(os.path.join(folder, "lists.csv"), "w", encoding="utf-8") as file:
    file.write("127.0.73.0/24,AWSManagedIPReputationList\n127.0.74.1,HostingProviderIPList\n")
until("the file of networks is read", lambda: status(source="127.0.71.1") == 453)
equal(status(X_Forwarded_For="127.0.72.9"), 454, "a forwarded address's network")
until("the file of lists is read", lambda: status(source="127.0.73.1") == 403)
equal((status(source="127.0.74.1"), status(source="127.0.74.2")), (403, 200), "a hosting provider, and its neighbour")
# One network with one kind of client, whatever its addresses.
for host in range(12):
    status(source=f"127.0.75.{host + 1}", tls=True)
until("the network is held back", lambda: status(source="127.0.76.1", tls=True) == 429)
equal((status(source="127.0.75.1"), curl()), (200, "200"), "without TLS, and another client")

groups = {group["Name"]: group for group in waf.list_available_managed_rule_groups(**REGIONAL)["ManagedRuleGroups"]}
check("lists.csv" in groups["AWSManagedRulesAnonymousIpList"]["Description"], "where the addresses come from")
update([])
waf.disassociate_web_acl(ResourceArn=arn)
elb.delete_load_balancer(LoadBalancerArn=arn)
for name in ("networks.csv", "lists.csv"):
    os.remove(os.path.join(folder, name))
say(done=True, ja3=ja3, ja4=ja4)
