"""rules.py: every condition and action of a listener's rules, made through the API and met by curl's requests."""

import subprocess

from castle import client, equal, refused, say

elb, ec2 = client("elbv2"), client("ec2")
PORT = 8474
subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
balancer = elb.create_load_balancer(Name="rules", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]


def said(text, status="200"):
    return [{"Type": "fixed-response", "FixedResponseConfig": {
        "StatusCode": status, "ContentType": "text/plain", "MessageBody": text}}]


listener = elb.create_listener(
    LoadBalancerArn=balancer, Port=PORT, Protocol="HTTP", DefaultActions=said("nothing"))["Listeners"][0]["ListenerArn"]
address = elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0]["DNSName"].split(":")[0]


def rule(priority, actions, *conditions):
    return elb.create_rule(
        ListenerArn=listener, Priority=priority, Conditions=list(conditions), Actions=actions)["Rules"][0]["RuleArn"]


def host(*values):
    return {"Field": "host-header", "HostHeaderConfig": {"Values": list(values)}}


def path(*values):
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}


def header(name, *values):
    return {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name, "Values": list(values)}}


def method(*values):
    return {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": list(values)}}


def query(*pairs):
    values = [{"Key": key, "Value": value} if key else {"Value": value} for key, value in pairs]
    return {"Field": "query-string", "QueryStringConfig": {"Values": values}}


def source(*values):
    return {"Field": "source-ip", "SourceIpConfig": {"Values": list(values)}}


rules = {
    "host": rule(10, said("host"), host("*.rules.test", "one?.example")),
    "path": rule(20, said("path"), path("/img/*.jp?g", "/Exact")),
    "header": rule(30, said("header"), header("User-Agent", "*Curious*"), header("X-Two", "yes", "maybe")),
    "method": rule(40, said("method"), method("DELETE", "PURGE")),
    "query": rule(50, said("query"), query(("version", "v1*"), (None, "*secret*"))),
    "source": rule(60, said("source"), source("127.9.0.0/16", "127.8.0.1/32"), path("/admin*")),
    "all": rule(70, said("all"), path("/all"), method("POST"), query(("a", "1"))),
    "expression": rule(80, said("expression"), {
        "Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/v[0-9]+/(cart|order)$"]}}),
    "redirect": rule(90, [{"Type": "redirect", "RedirectConfig": {
        "Protocol": "HTTPS", "Host": "new.#{host}", "Port": "8443", "Path": "/to/#{path}", "Query": "#{query}&from=#{port}",
        "StatusCode": "HTTP_301"}}], path("/old*")),
}


def ask(target="/", *arguments, source="127.0.0.1"):
    """Status, redirection and body."""
    finished = subprocess.run(
        ["curl", "-sS", "-m", "10", "--interface", source, "--path-as-is", "-w", "\n%{http_code} %{redirect_url}",
         *arguments, f"http://{address}:{PORT}{target}"], capture_output=True, text=True, check=True)
    body, told = finished.stdout.rsplit("\n", 1)
    status, _, place = told.partition(" ")
    return int(status), place, body


def meets(name, *arguments, **more):
    equal(ask(*arguments, **more)[2], name, f"the rule for {arguments} {more}")


meets("nothing", "/")
for name in ["www.rules.test", "WWW.RULES.TEST", "a.b.rules.test", f"www.rules.test:{PORT}", "one1.example"]:
    meets("host", "/", "-H", f"Host: {name}")
for name in ["rules.test", "one.example", "one12.example", "www.rules.test.example"]:
    meets("nothing", "/", "-H", f"Host: {name}")
for target in ["/img/a.jpeg", "/img/a/b.jpxg", "/Exact", "/Exact?a=b"]:
    meets("path", target)
for target in ["/img/a.jpg", "/IMG/a.jpeg", "/exact", "/Exact/"]:
    meets("nothing", target)
meets("header", "/", "-A", "a curious one", "-H", "x-two: MAYBE")
meets("nothing", "/", "-A", "a curious one")
meets("nothing", "/", "-A", "a curious one", "-H", "x-two: no")
meets("method", "/", "-X", "DELETE")
meets("method", "/", "-X", "PURGE")
meets("nothing", "/", "-X", "delete")
for target in ["/?version=v1.2", "/?a=b&VERSION=V1", "/?x=mysecretvalue"]:
    meets("query", target)
for target in ["/?version=v2", "/?secret=1", "/version=v1"]:
    meets("nothing", target)
for place in ["127.9.200.3", "127.8.0.1"]:
    meets("source", "/admin/x", source=place)
for place in ["127.10.0.1", "127.8.0.2"]:
    meets("nothing", "/admin/x", source=place)
meets("all", "/all?b=2&a=1", "-X", "POST")
meets("nothing", "/all?a=1")
meets("expression", "/v12/cart")
meets("nothing", "/v12/carts")
status, place, _ = ask("/old/page?a=b", "-H", f"Host: shop.example:{PORT}")
equal((status, place), (301, f"https://new.shop.example:8443/to/old/page?a=b&from={PORT}"), "every part of a redirection")

# The lowest number is asked first, whenever it was made.
elb.set_rule_priorities(RulePriorities=[{"RuleArn": rules["path"], "Priority": 5}])
meets("path", "/Exact", "-H", "Host: www.rules.test")
elb.set_rule_priorities(RulePriorities=[{"RuleArn": rules["path"], "Priority": 20}])
meets("host", "/Exact", "-H", "Host: www.rules.test")
elb.modify_rule(RuleArn=rules["host"], Actions=said("changed", "418"))
equal(ask("/", "-H", "Host: www.rules.test"), (418, "", "changed"), "a rule that was changed")
elb.delete_rule(RuleArn=rules["host"])
meets("path", "/Exact", "-H", "Host: www.rules.test")

# What is too much is refused, and nothing of it is there.
before = len(elb.describe_rules(ListenerArn=listener)["Rules"])
for conditions in [
    [host("a.test", "b.test", "c.test"), path("/1", "/2", "/3")],
    [path("/*/*/*/*/*/*/*")],
    [path("/" + "a" * 128)],
    [source("127.0.0.1/33")],
    [header("", "a")],
]:
    code, status, message = refused(lambda: rule(500, said("too much"), *conditions))
    equal(status, 400, f"{code}: {message}")
equal(refused(lambda: rule(20, said("again"), path("/used")))[0], "PriorityInUse", "a priority that is taken")
equal(len(elb.describe_rules(ListenerArn=listener)["Rules"]), before, "nothing was made of it")
made = 0
while True:
    try:
        rule(1000 + made, said("many"), path(f"/many/{made}"))
        made += 1
    except elb.exceptions.TooManyRulesException:
        break
equal(made + before - 1, 100, "rules of a load balancer, the default one apart")
meets("many", f"/many/{made - 1}")
elb.delete_load_balancer(LoadBalancerArn=balancer)
say(rules=made)
