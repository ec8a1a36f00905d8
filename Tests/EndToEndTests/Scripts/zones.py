"""zones.py: zonal shift and cross-zone load balancing through boto3, judged by which target answers a client."""

import http.server
import socket
import threading
from datetime import timedelta

from castle import check, client, equal, refused, say, until

elb, ec2, arc = (client(name) for name in ("elbv2", "ec2", "arc-zonal-shift"))
ZONES = {"us-east-1a": "use1-az1", "us-east-1b": "use1-az2"}


def server(name):
    """A target on an address and port of its own that answers with its name."""

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(name)))
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, *_):
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return made.server_address[1]


def ask(address, port):
    with socket.create_connection((address, port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer.partition(b"\r\n\r\n")[2].decode()


def reached(balancer, count=20):
    return {ask(*balancer["place"]) for _ in range(count)}


def make(kind, protocol, port):
    subnets = [
        subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"] if subnet["AvailabilityZone"] in ZONES]
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = elb.create_load_balancer(Name=f"zones-{kind}", Type=kind, Subnets=subnets)["LoadBalancers"][0]
    arn = made["LoadBalancerArn"]
    group = elb.create_target_group(
        Name=f"zones-{kind}", Protocol=protocol, Port=80, VpcId=vpc, TargetType="ip", HealthCheckIntervalSeconds=5,
        HealthyThresholdCount=2)["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=group, Targets=[
        {"Id": "127.0.0.1", "Port": server(zone), "AvailabilityZone": zone} for zone in ZONES])
    elb.create_listener(LoadBalancerArn=arn, Port=port, Protocol=protocol, DefaultActions=[
        {"Type": "forward", "TargetGroupArn": group}])
    place = (made["DNSName"].split(":")[0], port)
    return {"arn": arn, "group": group, "place": place}


def attributes(balancer, **values):
    elb.modify_load_balancer_attributes(LoadBalancerArn=balancer["arn"], Attributes=[
        {"Key": key.replace("__", "."), "Value": value} for key, value in values.items()])


def targets(balancer):
    found = elb.describe_target_health(TargetGroupArn=balancer["group"])["TargetHealthDescriptions"]
    return {one["Target"]["AvailabilityZone"]: one for one in found}


def states(balancer):
    return {zone: one["TargetHealth"]["State"] for zone, one in targets(balancer).items()}


def overrides(balancer):
    return {zone: one["AdministrativeOverride"]["State"] for zone, one in targets(balancer).items()}


def shifted(balancer, override):
    """A load balancer's life with a shift."""
    arn = balancer["arn"]
    until("healthy", lambda: set(states(balancer).values()) == {"healthy"})
    equal(reached(balancer), set(ZONES), "without a shift")
    missing = refused(lambda: arc.get_managed_resource(resourceIdentifier=arn))
    equal(missing[:2], ("ResourceNotFoundException", 404), "a load balancer that cannot be shifted")
    attributes(balancer, zonal_shift__config__enabled="true")
    start = {"resourceIdentifier": arn, "awayFrom": "use1-az1", "expiresIn": "2h", "comment": "a bad zone"}
    shift = arc.start_zonal_shift(**start)
    equal(shift["expiryTime"] - shift["startTime"], timedelta(hours=2), "the expiry")
    equal(reached(balancer), {"us-east-1b"}, "with a shift")
    equal(overrides(balancer), {"us-east-1a": override, "us-east-1b": "no_override"}, "the overrides")
    equal(set(states(balancer).values()), {"healthy"}, "the health, which a shift does not touch")
    managed = arc.get_managed_resource(resourceIdentifier=arn)
    equal(managed["appliedWeights"], {"use1-az1": 0.0, "use1-az2": 1.0}, "the weights")
    try:
        arc.start_zonal_shift(**dict(start, awayFrom="use1-az2"))
        check(False, "a second shift was taken")
    except arc.exceptions.ConflictException as error:
        equal(error.response["reason"], "ZonalShiftAlreadyExists", "the reason")
        equal(error.response["zonalShiftId"], shift["zonalShiftId"], "the shift in the way")
    try:
        arc.start_zonal_shift(**dict(start, awayFrom="use1-az3"))
        check(False, "a shift away from a foreign zone was taken")
    except arc.exceptions.ValidationException as error:
        equal(error.response["reason"], "UnsupportedAz", "the reason")
    changed = arc.update_zonal_shift(zonalShiftId=shift["zonalShiftId"], comment="still bad")
    equal((changed["comment"], changed["status"]), ("still bad", "ACTIVE"), "the changed shift")
    equal(arc.cancel_zonal_shift(zonalShiftId=shift["zonalShiftId"])["status"], "CANCELED", "the cancelled shift")
    equal(reached(balancer), set(ZONES), "after the shift")
    listed = [one for one in arc.list_zonal_shifts()["items"] if one["resourceIdentifier"] == arn]
    equal([one["status"] for one in listed], ["CANCELED"], "the list")


application = make("application", "HTTP", 8095)
network = make("network", "TCP", 8096)
shifted(application, "zonal_shift_active")
shifted(network, "zonal_shift_delegated_to_dns")
equal({one["arn"] for one in arc.list_managed_resources()["items"]}, {application["arn"], network["arn"]}, "who is managed")
equal(arc.list_autoshifts()["items"], [], "autoshifts")
equal(refused(lambda: arc.get_autoshift_observer_notification_status())[1], 501, "what is not built")

for balancer in (application, network):
    elb.delete_load_balancer(LoadBalancerArn=balancer["arn"])
    elb.delete_target_group(TargetGroupArn=balancer["group"])
say(done=True)
