"""WAF's logs in a bucket: objects with AWS's names, whose lines are what was judged."""

import gzip
import json
import re
import socket

from castle import check, client, equal, say, until

waf, elb, ec2, s3 = (client(name) for name in ("wafv2", "elbv2", "ec2", "s3"))
seen = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "m"}
subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
arn = elb.create_load_balancer(Name="logged", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
elb.create_listener(LoadBalancerArn=arn, Port=8092, Protocol="HTTP", DefaultActions=[{
    "Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "served"}}])
elb.get_waiter("load_balancer_available").wait(Names=["logged"], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
address = elb.describe_load_balancers(Names=["logged"])["LoadBalancers"][0]["DNSName"].split(":")[0]
bucket = "aws-waf-logs-castle"
s3.create_bucket(Bucket=bucket)
acl = waf.create_web_acl(
    Name="logged", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=seen, Rules=[{
        "Name": "no", "Priority": 0, "Action": {"Block": {}}, "VisibilityConfig": seen,
        "Statement": {"ByteMatchStatement": {
            "SearchString": b"/no", "FieldToMatch": {"UriPath": {}}, "PositionalConstraint": "STARTS_WITH",
            "TextTransformations": [{"Priority": 0, "Type": "NONE"}]}}}, {
        "Name": "sql", "Priority": 1, "Action": {"Count": {}}, "VisibilityConfig": seen,
        "Statement": {"SqliMatchStatement": {
            "FieldToMatch": {"AllQueryArguments": {}}, "SensitivityLevel": "HIGH",
            "TextTransformations": [{"Priority": 0, "Type": "URL_DECODE"}]}}}, {
        "Name": "script", "Priority": 2, "Action": {"Count": {}}, "VisibilityConfig": seen,
        "Statement": {"XssMatchStatement": {
            "FieldToMatch": {"SingleHeader": {"Name": "cookie"}},
            "TextTransformations": [{"Priority": 0, "Type": "NONE"}]}}}])["Summary"]
waf.put_logging_configuration(LoggingConfiguration={
    "ResourceArn": acl["ARN"], "LogDestinationConfigs": [f"arn:aws:s3:::{bucket}/front"],
    "RedactedFields": [{"SingleHeader": {"Name": "cookie"}}]})
waf.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=arn)


def status(path):
    with socket.create_connection((address, 8092), timeout=10) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: shop.test\r\nCookie: secret<script>\r\nConnection: close\r\n\r\n".encode())
        return int(connection.recv(1000).split()[1])


until("the web ACL judges", lambda: status("/no/first") == 403)
equal(status("/yes"), 200, "what no rule is about")
equal(status("/found?a=1&id=1%27%20OR%20%271%27%3D%271"), 200, "what is only counted")


def objects():
    return s3.list_objects_v2(Bucket=bucket).get("Contents", [])


def lines():
    found = []
    for each in objects():
        body = s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
        found += [json.loads(line) for line in gzip.decompress(body).decode().splitlines()]
    return found


def find(path):
    return [line for line in lines() if line["httpRequest"]["uri"] == path]


blocked = until("the refused request is in the log", lambda: find("/no/first"))[-1]
passed = until("the other one too", lambda: find("/yes"))[-1]
equal((blocked["action"], blocked["terminatingRuleId"], blocked["webaclId"]), ("BLOCK", "no", acl["ARN"]), "a refusal")
equal((passed["action"], passed["terminatingRuleId"]), ("ALLOW", "Default_Action"), "a request that passed")
equal((passed["httpRequest"]["clientIp"], passed["httpSourceName"]), ("127.0.0.1", "ALB"), "where it came from")
found = until("what was counted too", lambda: find("/found"))[-1]
equal(found["nonTerminatingMatchingRules"], [
    {"ruleId": "sql", "action": "COUNT", "ruleMatchDetails": [{
        "conditionType": "SQL_INJECTION", "sensitivityLevel": "HIGH", "location": "ALL_QUERY_ARGS",
        "matchedData": ["1", "OR", "1", "=", "1"], "matchedFieldName": "id"}]},
    {"ruleId": "script", "action": "COUNT", "ruleMatchDetails": [{
        "conditionType": "XSS", "location": "HEADER", "matchedData": ["REDACTED"], "matchedFieldName": "cookie"}]}],
    "what the rules found, and what of it is hidden")
equal((found["requestBodySize"], found["requestBodySizeInspectedByWAF"]), (0, 0), "its body")
check(not any("secret" in json.dumps(line) for line in lines()), "what is redacted is not in the log")
name = re.compile(
    r"front/AWSLogs/000000000000/WAFLogs/us-east-1/logged/\d{4}/\d\d/\d\d/\d\d/\d[05]/"
    r"000000000000_waflogs_us-east-1_logged_\d{8}T\d{4}Z_[0-9a-f]+\.log\.gz")
for each in objects():
    check(name.fullmatch(each["Key"]), f"AWS's name: {each['Key']}")
waf.disassociate_web_acl(ResourceArn=arn)
elb.delete_load_balancer(LoadBalancerArn=arn)
say(objects=len(objects()))
