"""Health checks of Route 53 that ask a real server, and Elastic IP addresses with their reverse names."""

import http.server
import threading

from castle import client, equal, refused, say, until

dns, ec2 = client("route53"), client("ec2")


class Site(http.server.BaseHTTPRequestHandler):
    asked = []

    def do_GET(self):
        Site.asked.append((self.path, self.headers["Host"], self.headers["User-Agent"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"all green")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_address[1]
closed = http.server.HTTPServer(("127.0.0.1", 0), Site)
closed_port = closed.server_address[1]
closed.server_close()


def make(reference, **config):
    return dns.create_health_check(CallerReference=reference, HealthCheckConfig=config)["HealthCheck"]


def status(check):
    seen = dns.get_health_check_status(HealthCheckId=check["Id"])["HealthCheckObservations"]
    return seen[0]["StatusReport"]["Status"] if seen else None


up = make("up", Type="HTTP_STR_MATCH", IPAddress="127.0.0.1", FullyQualifiedDomainName="shop.test", Port=port,
          ResourcePath="/health", SearchString="green", RequestInterval=10, FailureThreshold=1)
down = make("down", Type="TCP", IPAddress="127.0.0.1", Port=closed_port, RequestInterval=10, FailureThreshold=1)
equal(until("the endpoint is asked", lambda: status(up), 20), "Success: HTTP Status Code 200, OK", "what answers")
equal(until("the port is tried", lambda: status(down), 20), "Failure: Connection refused", "what does not")
path, host, agent = Site.asked[0]
equal((path, host), ("/health", f"shop.test:{port}"), "what was asked for")
equal(agent.startswith("Amazon-Route53-Health-Check-Service (ref " + up["Id"]), True, "who asked")
reason = dns.get_health_check_last_failure_reason(HealthCheckId=down["Id"])["HealthCheckObservations"][0]
equal(reason["StatusReport"]["Status"], "Failure: Connection refused", "the last failure")

both = make("both", Type="CALCULATED", HealthThreshold=2, ChildHealthChecks=[up["Id"], down["Id"]])
equal(sorted(both["HealthCheckConfig"]),
      ["ChildHealthChecks", "Disabled", "HealthThreshold", "Inverted", "Type"], "a calculated check's settings")
code, http_status, _ = refused(lambda: make("up", Type="TCP", IPAddress="127.0.0.1", Port=1))
equal((code, http_status), ("HealthCheckAlreadyExists", 409), "a reference that is taken")

changed = dns.update_health_check(HealthCheckId=up["Id"], HealthCheckVersion=1, FailureThreshold=5)["HealthCheck"]
equal((changed["HealthCheckVersion"], changed["HealthCheckConfig"]["FailureThreshold"]), (2, 5), "a change")
code, http_status, _ = refused(lambda: dns.update_health_check(HealthCheckId=up["Id"], HealthCheckVersion=1))
equal((code, http_status), ("HealthCheckVersionMismatch", 409), "a change of what is no more")

dns.change_tags_for_resource(
    ResourceType="healthcheck", ResourceId=up["Id"], AddTags=[{"Key": "Name", "Value": "front"}])
sets = dns.list_tags_for_resources(ResourceType="healthcheck", ResourceIds=[up["Id"]])["ResourceTagSets"]
equal(sets[0]["Tags"], [{"Key": "Name", "Value": "front"}], "tags")
equal(len([c for page in dns.get_paginator("list_health_checks").paginate(PaginationConfig={"PageSize": 2})
           for c in page["HealthChecks"]]), 3, "the list, in pages")
equal(dns.get_health_check_count()["HealthCheckCount"], 3, "the count")

zone = dns.create_hosted_zone(Name="shop.test", CallerReference="health")["HostedZone"]["Id"]


def record(action, check):
    return dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{
        "Action": action, "ResourceRecordSet": {
            "Name": "www.shop.test", "Type": "A", "TTL": 60, "SetIdentifier": "first", "Failover": "PRIMARY",
            "HealthCheckId": check, "ResourceRecords": [{"Value": "127.0.0.1"}]}}]})


equal(refused(lambda: record("CREATE", "nobody"))[0], "NoSuchHealthCheck", "a record set of no health check")
record("CREATE", up["Id"])
found = [s.get("HealthCheckId") for s in dns.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]]
equal([i for i in found if i], [up["Id"]], "the record set's health check")
record("DELETE", up["Id"])
dns.delete_hosted_zone(Id=zone)
for check in (both, up, down):
    dns.delete_health_check(HealthCheckId=check["Id"])
equal(dns.list_health_checks()["HealthChecks"], [], "what is left")

address = ec2.allocate_address(
    Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": "mail"}]}])
named = ec2.modify_address_attribute(AllocationId=address["AllocationId"], DomainName="mail.shop.test")["Address"]
equal(named["PtrRecord"], "mail.shop.test.", "the reverse name")
pages = ec2.get_paginator("describe_addresses_attribute").paginate(
    AllocationIds=[address["AllocationId"]], Attribute="domain-name")
equal([a for page in pages for a in page["Addresses"]], [named], "the attribute")
ec2.reset_address_attribute(AllocationId=address["AllocationId"], Attribute="domain-name")
left = ec2.describe_addresses_attribute(AllocationIds=[address["AllocationId"]], Attribute="domain-name")["Addresses"]
equal(left, [], "the attribute after a reset")
found = ec2.describe_addresses(Filters=[{"Name": "tag:Name", "Values": ["mail"]}])["Addresses"]
equal([a["PublicIp"] for a in found], [address["PublicIp"]], "the address by its tag")
ec2.release_address(AllocationId=address["AllocationId"])
server.shutdown()
say(asked=len(Site.asked))
