"""webacl.py made|kept: a web ACL on a load balancer, judged by what clients see, and what is told of it.

`made` makes it and leaves it there; `kept` looks again, changes it and takes it away. The control plane, or the whole
castle, can be started again in between.
"""

import socket
import sys
import time

from castle import check, client, equal, refused, say, until

stage = sys.argv[1]
waf, elb, ec2, logs = (client(name) for name in ("wafv2", "elbv2", "ec2", "logs"))
REGIONAL = {"Scope": "REGIONAL"}
PLAIN = [{"Priority": 0, "Type": "NONE"}]
DECODED = [{"Priority": 0, "Type": "URL_DECODE"}]


def seen(name):
    return {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}


def rule(name, priority, statement, action=None, **more):
    if "OverrideAction" not in more:
        more["Action"] = action or {"Block": {}}
    return {"Name": name, "Priority": priority, "Statement": statement, "VisibilityConfig": seen(name), **more}


def path(text, position="STARTS_WITH"):
    return {"ByteMatchStatement": {
        "SearchString": text.encode(), "FieldToMatch": {"UriPath": {}}, "TextTransformations": PLAIN,
        "PositionalConstraint": position}}


def ask(target, source="127.0.0.1", method="GET", headers="", body=b""):
    """Status, header lines and body of the answer to a request from an address of this machine."""
    with socket.create_connection((address, 8090), timeout=10, source_address=(source, 0)) as connection:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        connection.sendall(
            f"{method} {target} HTTP/1.1\r\nHost: x\r\nUser-Agent: test\r\n{headers}{length}Connection: close\r\n\r\n"
            .encode() + body)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, _, content = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode(), content.decode()


def status(target, **more):
    return ask(target, **more)[0]


def balancer():
    found = elb.describe_load_balancers(Names=["webacl"])["LoadBalancers"][0]
    return found["LoadBalancerArn"], found["DNSName"].split(":")[0]


def set_up():
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
    made = elb.create_load_balancer(Name="webacl", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    elb.create_listener(LoadBalancerArn=made, Port=8090, Protocol="HTTP", DefaultActions=[{
        "Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "served"}}])


def rules():
    banned = waf.create_ip_set(
        Name="banned", IPAddressVersion="IPV4", Addresses=["127.0.66.0/24"], **REGIONAL)["Summary"]["ARN"]
    probes = waf.create_regex_pattern_set(
        Name="probes", RegularExpressionList=[{"RegexString": r"^/wp-[a-z]+\.php$"}], **REGIONAL)["Summary"]["ARN"]
    own = waf.create_rule_group(
        Name="own", Capacity=100, VisibilityConfig=seen("own"), Rules=[
            rule("probe", 0, {"RegexPatternSetReferenceStatement": {
                "ARN": probes, "FieldToMatch": {"UriPath": {}}, "TextTransformations": PLAIN}},
                {"Count": {}}, RuleLabels=[{"Name": "probe"}]),
            rule("big", 1, {"SizeConstraintStatement": {
                "FieldToMatch": {"Body": {"OversizeHandling": "MATCH"}}, "ComparisonOperator": "GT", "Size": 1000,
                "TextTransformations": PLAIN}}),
        ], **REGIONAL)["Summary"]["ARN"]
    arguments = {"FieldToMatch": {"AllQueryArguments": {}}, "TextTransformations": DECODED}
    return [
        rule("banned", 0, {"IPSetReferenceStatement": {"ARN": banned}}),
        rule("sql", 1, {"SqliMatchStatement": {**arguments, "SensitivityLevel": "LOW"}}, {"Block": {"CustomResponse": {
            "ResponseCode": 422, "CustomResponseBodyKey": "no", "ResponseHeaders": [{"Name": "X-Why", "Value": "sql"}]}}}),
        rule("scripts", 2, {"XssMatchStatement": arguments}),
        rule("own", 3, {"RuleGroupReferenceStatement": {"ARN": own}}, OverrideAction={"None": {}}),
        rule("probes", 4, {"AndStatement": {"Statements": [
            {"LabelMatchStatement": {"Scope": "LABEL", "Key": "probe"}},
            {"NotStatement": {"Statement": {"OrStatement": {"Statements": [
                path("/wp-good.php", "EXACTLY"), path("/other")]}}}},
        ]}}),
        rule("rate", 5, {"RateBasedStatement": {
            "Limit": 10, "EvaluationWindowSec": 60, "AggregateKeyType": "IP",
            "ScopeDownStatement": path("/limited")}}),
        rule("watched", 6, path("/watched"), {"Count": {}}),
    ]


def make():
    all_rules = rules()
    capacity = waf.check_capacity(Rules=all_rules, **REGIONAL)["Capacity"]
    # 1 + (20 + 10 + 10) + (40 + 10 + 10) + 100 + (1 + 2 + 2) + (2 + 2) + 2
    equal(capacity, 212, "the capacity")
    acl = waf.create_web_acl(
        Name="front", DefaultAction={"Allow": {}}, VisibilityConfig=seen("front"), Rules=all_rules,
        CustomResponseBodies={"no": {"ContentType": "APPLICATION_JSON", "Content": '{"no":1}'}}, **REGIONAL)["Summary"]
    logs.create_log_group(logGroupName="aws-waf-logs-front")
    waf.put_logging_configuration(LoggingConfiguration={
        "ResourceArn": acl["ARN"],
        "LogDestinationConfigs": ["arn:aws:logs:us-east-1:000000000000:log-group:aws-waf-logs-front"],
        "RedactedFields": [{"SingleHeader": {"Name": "cookie"}}],
        "LoggingFilter": {"DefaultBehavior": "DROP", "Filters": [{
            "Behavior": "KEEP", "Requirement": "MEETS_ANY",
            "Conditions": [{"ActionCondition": {"Action": "BLOCK"}}]}]},
    })
    equal(status("/wp-login.php"), 200, "a probe before the association")
    waf.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=arn)
    until("the web ACL judges", lambda: status("/wp-login.php") == 403)


def look():
    """What clients see."""
    equal(status("/"), 200, "nothing special")
    equal(status("/", source="127.0.66.6"), 403, "an address of the IP set")
    equal(status("/wp-good.php"), 200, "what the rule spares")
    code, head, content = ask("/?q=1%27%20or%20%271%27%3D%271", headers="Cookie: secret\r\n")
    equal((code, content), (422, '{"no":1}'), "an injection's answer")
    check("X-Why: sql" in head and "Content-Type: application/json" in head, head)
    equal(status("/?q=%3Cscript%3Ealert(1)%3C/script%3E"), 403, "a script")
    equal(status("/?q=O%27Reilly"), 200, "a name")
    equal(status("/", method="POST", body=b"x" * 1000), 200, "a body within the size")
    equal(status("/", method="POST", body=b"x" * 1001), 403, "a body over the size")
    equal(status("/watched"), 200, "what is only counted")


def rates():
    for _ in range(11):
        status("/limited", source="127.0.7.1")
    began = time.monotonic()
    until("the source is held back", lambda: status("/limited", source="127.0.7.1") == 403, 5)
    held = time.monotonic() - began
    equal(status("/", source="127.0.7.1"), 200, "the same source on another path")
    equal(status("/limited", source="127.0.7.2"), 200, "another source")
    keys = waf.get_rate_based_statement_managed_keys(WebACLName="front", WebACLId=ident, RuleName="rate", **REGIONAL)
    equal(keys["ManagedKeysIPV4"]["Addresses"], ["127.0.7.1/32"], "whom the rule holds back")
    return held


def told():
    def samples(metric):
        return waf.get_sampled_requests(
            WebAclArn=acl_arn, RuleMetricName=metric, MaxItems=100,
            TimeWindow={"StartTime": time.time() - 600, "EndTime": time.time() + 60}, **REGIONAL)["SampledRequests"]

    sample = until("samples", lambda: samples("sql"))[0]
    equal((sample["Action"], sample["Request"]["ClientIP"], sample["ResponseCodeSent"]), ("BLOCK", "127.0.0.1", 422),
          "the sample")
    until("what was counted is sampled", lambda: samples("watched"))

    def lines():
        found = logs.filter_log_events(logGroupName="aws-waf-logs-front")["events"]
        return [event["message"] for event in found]

    until("the log has the injection", lambda: any('"terminatingRuleId":"sql"' in line for line in lines()))
    check(not any("secret" in line or '"action":"ALLOW"' in line for line in lines()), "the log is filtered and redacted")


def change():
    """Locks and refusals; afterwards the injection is only counted."""
    now = waf.get_web_acl(Name="front", Id=ident, **REGIONAL)
    acl = now["WebACL"]
    equal(waf.get_web_acl_for_resource(ResourceArn=arn)["WebACL"]["ARN"], acl_arn, "the load balancer's web ACL")
    equal(waf.list_resources_for_web_acl(WebACLArn=acl_arn)["ResourceArns"], [arn], "the web ACL's load balancers")

    def update(all_rules, token):
        return waf.update_web_acl(
            Name="front", Id=ident, LockToken=token, DefaultAction={"Allow": {}}, VisibilityConfig=seen("front"),
            Rules=all_rules, CustomResponseBodies=acl["CustomResponseBodies"], **REGIONAL)["NextLockToken"]

    captcha = [rule("captcha", 0, path("/"), {"Captcha": {}})]
    equal(refused(lambda: update(captcha, now["LockToken"]))[1], 501, "captcha")
    all_rules = [dict(one, Action={"Count": {}}) if one["Name"] == "sql" else one for one in acl["Rules"]]
    update(all_rules, now["LockToken"])
    equal(refused(lambda: update(all_rules, now["LockToken"]))[0], "WAFOptimisticLockException", "an old token")
    until("the rule only counts", lambda: status("/?q=1%27%20or%20%271%27%3D%271") == 200)


def take_away():
    equal(refused(lambda: delete(waf.get_web_acl(Name="front", Id=ident, **REGIONAL)["LockToken"]))[0],
          "WAFAssociatedItemException", "deleting what is used")
    waf.disassociate_web_acl(ResourceArn=arn)
    until("nobody judges", lambda: status("/", source="127.0.66.6") == 200)
    delete(waf.get_web_acl(Name="front", Id=ident, **REGIONAL)["LockToken"])
    elb.delete_load_balancer(LoadBalancerArn=arn)


def delete(token):
    waf.delete_web_acl(Name="front", Id=ident, LockToken=token, **REGIONAL)


if stage == "made":
    set_up()
arn, address = balancer()
if stage == "made":
    elb.get_waiter("load_balancer_available").wait(Names=["webacl"], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    make()
summary = waf.list_web_acls(**REGIONAL)["WebACLs"][0]
ident, acl_arn = summary["Id"], summary["ARN"]
look()
if stage == "made":
    held = rates()
    told()
    say(done=True, seconds_to_hold=round(held, 3))
else:
    change()
    take_away()
    say(done=True)
