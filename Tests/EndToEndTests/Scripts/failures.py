"""A stack whose database cannot start: what CloudFormation and RDS say of it, and that nothing is left."""

import json

from castle import check, client, equal, until

TEMPLATE = {
    "Resources": {
        "Parameters": {
            "Type": "AWS::RDS::DBClusterParameterGroup",
            "Properties": {
                "Description": "eight terabytes",
                "Family": "aurora-postgresql15",
                "Parameters": {"shared_buffers": "1073741823"},
            },
        },
        "Orders": {
            "Type": "AWS::RDS::DBCluster",
            "Properties": {
                "DBClusterIdentifier": "orders",
                "Engine": "aurora-postgresql",
                "MasterUsername": "castle",
                "MasterUserPassword": "open-sesame-1",
                "DBClusterParameterGroupName": {"Ref": "Parameters"},
            },
        },
        "OrdersWriter": {
            "Type": "AWS::RDS::DBInstance",
            "Properties": {
                "DBInstanceIdentifier": "orders-1",
                "DBClusterIdentifier": {"Ref": "Orders"},
                "DBInstanceClass": "db.r6g.large",
                "Engine": "aurora-postgresql",
            },
        },
    }
}

cloud, rds = client("cloudformation"), client("rds")


def settled():
    stack = cloud.describe_stacks(StackName="shop")["Stacks"][0]
    return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack


cloud.create_stack(StackName="shop", TemplateBody=json.dumps(TEMPLATE))
equal(until("the stack settles", settled)["StackStatus"], "ROLLBACK_COMPLETE", "the stack")
events = cloud.describe_stack_events(StackName="shop")["StackEvents"]
failed = [e for e in events if e["ResourceStatus"] == "CREATE_FAILED"]
equal([e["LogicalResourceId"] for e in failed], ["OrdersWriter"], "what failed")
reason = failed[0]["ResourceStatusReason"]
check("DB Instance orders-1 is in state: incompatible-parameters." in reason, reason)
check("could not map anonymous shared memory: Cannot allocate memory" in reason, reason)
check("NotStabilized" in reason, reason)
equal(rds.describe_db_clusters()["DBClusters"], [], "the clusters that are left")

told = rds.describe_events(SourceType="db-instance", SourceIdentifier="orders-1")["Events"]
equal([e["EventCategories"] for e in told], [["failure"], ["deletion"]], "the categories")
check("shared_buffers" in told[0]["Message"], told[0])
check(told[0]["SourceArn"].endswith(":db:orders-1"), told[0])
equal(len(rds.describe_events(EventCategories=["failure"])["Events"]), 1, "the failures")

# Corrected, the same stack is made.
cloud.delete_stack(StackName="shop")
TEMPLATE["Resources"]["Parameters"]["Properties"]["Parameters"] = {"work_mem": "8192"}


def again():
    try:
        cloud.create_stack(StackName="shop", TemplateBody=json.dumps(TEMPLATE))
        return True
    except cloud.exceptions.AlreadyExistsException:
        return False


until("the name is free", again)
equal(until("the stack settles", settled)["StackStatus"], "CREATE_COMPLETE", "the corrected stack")
told = rds.describe_events(SourceType="db-instance", SourceIdentifier="orders-1")["Events"]
equal(told[-1]["EventCategories"], ["creation"], "the last event")
print(json.dumps({"reason": reason[:120]}))
