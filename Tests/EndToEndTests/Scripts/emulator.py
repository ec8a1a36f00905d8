"""`castle start` as an emulator: throw-away keys, accounts by key, a fresh cloud after a reset."""

import os
import subprocess
import time
import urllib.request

from castle import check, client, environment, equal, say

endpoint = environment("AWS_ENDPOINT_URL")
test = dict(aws_access_key_id="test", aws_secret_access_key="test")
other = dict(aws_access_key_id="111122223333", aws_secret_access_key="whatever")

equal(client("sts", **test).get_caller_identity()["Account"], "000000000000", "the account of test/test")
equal(client("sts", **other).get_caller_identity()["Account"], "111122223333", "the account of a key of twelve digits")

client("secretsmanager", **test).create_secret(Name="mine", SecretString="1")
client("secretsmanager", **other).create_secret(Name="theirs", SecretString="2")
equal([s["Name"] for s in client("secretsmanager", **test).list_secrets()["SecretList"]], ["mine"], "one account's secrets")
equal([s["Name"] for s in client("secretsmanager", **other).list_secrets()["SecretList"]], ["theirs"], "the other's")
client("kms", **test).create_key()
client("iam", **test).create_user(UserName="u")
client("s3", **test).create_bucket(Bucket="bucket")
client("s3", **test).put_object(Bucket="bucket", Key="k", Body=b"v")
client("logs", **test).create_log_group(logGroupName="/l")
vpc = client("ec2", **test).create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
before = client("ec2", **test).describe_vpcs()["Vpcs"]
equal(len(before), 2, "VPCs before the reset")

times = []
for _ in range(3):
    client("kms", **test).create_key()
    began = time.monotonic()
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/_castle/reset", method="POST"), timeout=10).read()
    times.append((time.monotonic() - began) * 1000)

equal(client("secretsmanager", **test).list_secrets()["SecretList"], [], "secrets after the reset")
equal(client("secretsmanager", **other).list_secrets()["SecretList"], [], "the other account's secrets after the reset")
equal(client("kms", **test).list_keys()["Keys"], [], "keys after the reset")
equal(client("iam", **test).list_users()["Users"], [], "users after the reset")
equal(client("s3", **test).list_buckets()["Buckets"], [], "buckets after the reset")
equal(client("logs", **test).describe_log_groups()["logGroups"], [], "log groups after the reset")
after = client("ec2", **test).describe_vpcs()["Vpcs"]
equal([v["IsDefault"] for v in after], [True], "the default VPC after the reset")
check(vpc not in [v["VpcId"] for v in after], "the VPC is gone")
say(reset_ms=[round(t, 1) for t in times], fastest=min(times))
