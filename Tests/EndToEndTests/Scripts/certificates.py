"""certificates.py CA: a certificate requested and proven through Route 53, and a site behind it over HTTPS."""

import http.server
import subprocess
import sys
import threading

from castle import Front, client, equal, issued, refused, say, until

authority = sys.argv[1]
acm, dns = client("acm"), client("route53")

certificate, zone = issued("site.test")


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"from the target"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_address[1]
front = Front("certificates")
front.listener(8443, front.group(port), certificate, SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06")
front.until_healthy()
described = front.described()
address = front.address


def get(*more):
    finished = subprocess.run(
        ["curl", "-sS", "-m", "10", "--resolve", f"www.site.test:8443:{address}", *more, "https://www.site.test:8443/"],
        capture_output=True, text=True)
    return finished.returncode, finished.stdout


equal(get("--cacert", authority), (0, "from the target"), "who trusts the authority")
equal(get()[0], 60, "who does not")
equal(acm.describe_certificate(CertificateArn=certificate)["Certificate"]["InUseBy"], [front.arn], "who uses it")
equal(refused(lambda: acm.delete_certificate(CertificateArn=certificate))[0], "ResourceInUseException", "deleting it")

# Route 53 finds the load balancer through the site's alias, and asks it over TLS.
dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{
    "Action": "UPSERT",
    "ResourceRecordSet": {
        "Name": "www.site.test", "Type": "A", "AliasTarget": {
            "HostedZoneId": described["CanonicalHostedZoneId"], "DNSName": described["DNSName"],
            "EvaluateTargetHealth": True}}},
]})
check = dns.create_health_check(CallerReference="site", HealthCheckConfig={
    "Type": "HTTPS_STR_MATCH", "FullyQualifiedDomainName": "www.site.test", "Port": 8443, "SearchString": "the target",
    "RequestInterval": 10, "FailureThreshold": 1})["HealthCheck"]["Id"]
seen = until("the site is asked", lambda: dns.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"])
equal(seen[0]["StatusReport"]["Status"], f"Success: HTTP Status Code 200, OK. Resolved IP: {address}", "the site")
dns.delete_health_check(HealthCheckId=check)
front.end()
acm.delete_certificate(CertificateArn=certificate)
say(done=True)
