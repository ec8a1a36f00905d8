"""The storefront as boto3 sees it: everything that its castle.yaml asks for is there and well."""

import json

from castle import check, client, equal, say, until

cloudformation = client("cloudformation")
stack = cloudformation.describe_stacks(StackName="storefront")["Stacks"][0]
check(stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), f"the stack is {stack['StackStatus']}")
resources = cloudformation.get_paginator("list_stack_resources").paginate(StackName="storefront").build_full_result()
types = [r["ResourceType"] for r in resources["StackResourceSummaries"]]

elb = client("elbv2")
balancers = elb.describe_load_balancers()["LoadBalancers"]
equal(sorted(b["Scheme"] for b in balancers), ["internal", "internet-facing"], "load balancers")
equal({b["State"]["Code"] for b in balancers}, {"active"}, "the load balancers' state")
groups = elb.describe_target_groups()["TargetGroups"]
equal(len(groups), 2, "target groups")
targets = 0
for group in groups:
    def healthy():
        found = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        return found if len(found) >= 2 and all(t["TargetHealth"]["State"] == "healthy" for t in found) else None
    targets += len(until(f"the targets of {group['TargetGroupName']} are healthy", healthy, 20))

ecs = client("ecs")
cluster = ecs.list_clusters()["clusterArns"][0]
services = ecs.describe_services(cluster=cluster, services=ecs.list_services(cluster=cluster)["serviceArns"])["services"]
equal(len(services), 2, "services")
for service in services:
    equal(service["runningCount"], service["desiredCount"], f"tasks of {service['serviceName']}")
tasks = ecs.describe_tasks(cluster=cluster, tasks=ecs.list_tasks(cluster=cluster)["taskArns"])["tasks"]
equal({t["lastStatus"] for t in tasks}, {"RUNNING"}, "the tasks' status")
equal(len(tasks), sum(s["desiredCount"] for s in services), "tasks")
check(len(client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]) == 2, "scalable targets")

rds = client("rds")
database = rds.describe_db_clusters()["DBClusters"][0]
equal((database["Engine"], database["Status"], database["StorageEncrypted"]), ("aurora-postgresql", "available", True), "the database")
members = database["DBClusterMembers"]
equal(sorted(m["IsClusterWriter"] for m in members), [False, True], "its writer and reader")
equal({i["DBInstanceStatus"] for i in rds.describe_db_instances()["DBInstances"]}, {"available"}, "its instances")

cache = client("elasticache").describe_replication_groups()["ReplicationGroups"][0]
equal(cache["Status"], "available", "the cache")
equal(len(cache["NodeGroups"][0]["NodeGroupMembers"]), 2, "its nodes")

s3 = client("s3")
buckets = [b["Name"] for b in s3.list_buckets()["Buckets"]]
pictures = []
for bucket in buckets:
    pictures += s3.list_objects_v2(Bucket=bucket).get("Contents", [])
check(len(pictures) >= 3, f"pictures in {buckets}")

secrets = client("secretsmanager")
names = [s["Name"] for s in secrets.list_secrets()["SecretList"]]
check(any("PaymentKey" in n for n in names), f"secrets {names}")
kms = client("kms")
aliases = [a["AliasName"] for a in kms.list_aliases()["Aliases"] if not a["AliasName"].startswith("alias/aws/")]
check(aliases, "the app's key")
key = kms.describe_key(KeyId=aliases[0])["KeyMetadata"]
equal(key["KeyState"], "Enabled", "the key's state")
equal(database["KmsKeyId"].rsplit("/", 1)[-1], key["KeyId"], "the database's key")

logs = client("logs")
groups = [g["logGroupName"] for g in logs.describe_log_groups()["logGroups"]]
events = {}
for group in groups:
    found = logs.filter_log_events(logGroupName=group, limit=50)["events"]
    events[group] = len(found)
    for event in found[:5]:
        check(isinstance(json.loads(event["message"]), dict), f"a JSON line in {group}: {event['message']!r}")
for service in ("frontend", "backend"):
    check(any(service in g and n > 0 for g, n in events.items()), f"log events of {service}: {events}")

roles = [r["RoleName"] for r in client("iam").list_roles()["Roles"]]
vpcs = [v for v in client("ec2").describe_vpcs()["Vpcs"] if not v["IsDefault"]]
equal(len(vpcs), 1, "the app's VPC")
say(resources=len(types), targets=targets, tasks=len(tasks), buckets=buckets, pictures=len(pictures), secrets=names,
    aliases=aliases, logs=events, roles=len(roles), writer=[m["DBInstanceIdentifier"] for m in members if m["IsClusterWriter"]][0])
