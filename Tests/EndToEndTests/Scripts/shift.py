"""shift.py start|holds|end URL: a zonal shift of all load balancers of the storefront, and who serves its pages."""

import sys

from castle import client, equal, say
from shop import Visitor

stage, url = sys.argv[1:3]
elb, arc = client("elbv2"), client("arc-zonal-shift")
balancers = [one["LoadBalancerArn"] for one in elb.describe_load_balancers()["LoadBalancers"]]


def backends():
    """The tasks that served some pages."""
    visitor = Visitor(url)
    for _ in range(12):
        visitor.page("/")
    return visitor.tasks


def overridden():
    """How many targets there are in which state of override."""
    states = {}
    for group in elb.describe_target_groups()["TargetGroups"]:
        found = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        for one in found:
            state = one["AdministrativeOverride"]["State"]
            states[state] = states.get(state, 0) + 1
    return states


if stage == "start":
    equal(len(backends()), 2, "the tasks that serve")
    for arn in balancers:
        elb.modify_load_balancer_attributes(
            LoadBalancerArn=arn, Attributes=[{"Key": "zonal_shift.config.enabled", "Value": "true"}])
    for arn in balancers:
        zone = min(arc.get_managed_resource(resourceIdentifier=arn)["appliedWeights"])
        arc.start_zonal_shift(resourceIdentifier=arn, awayFrom=zone, expiresIn="1h", comment="a bad zone")
if stage in ("start", "holds"):
    equal(len(backends()), 1, "the tasks that serve during the shift")
    equal(overridden(), {"no_override": 2, "zonal_shift_active": 2}, "the targets' overrides")
    equal({one["status"] for one in arc.list_zonal_shifts()["items"]}, {"ACTIVE"}, "the shifts")
else:
    for one in arc.list_zonal_shifts(status="ACTIVE")["items"]:
        arc.cancel_zonal_shift(zonalShiftId=one["zonalShiftId"])
    equal(len(backends()), 2, "the tasks that serve after the shift")
    equal(overridden(), {"no_override": 4}, "the targets' overrides")
    for arn in balancers:
        elb.modify_load_balancer_attributes(
            LoadBalancerArn=arn, Attributes=[{"Key": "zonal_shift.config.enabled", "Value": "false"}])
say(done=True)
