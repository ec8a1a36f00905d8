"""An empty castle as boto3 sees it: what is made through one API is seen through the others."""

import time

from castle import check, client, equal, refused, say, stack_settled, until

TEMPLATE = """
Parameters:
  Stage: { Type: String, Default: test }
Resources:
  Network: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.9.0.0/16, EnableDnsSupport: true } }
  Inside: { Type: AWS::EC2::Subnet, Properties: { VpcId: !Ref Network, CidrBlock: !Select [0, !Cidr [10.9.0.0/16, 4, 8]] } }
  Key:
    Type: AWS::KMS::Key
    Properties:
      KeyPolicy:
        Version: "2012-10-17"
        Statement:
          - { Effect: Allow, Principal: { AWS: !Sub "arn:aws:iam::${AWS::AccountId}:root" }, Action: "kms:*", Resource: "*" }
  KeyName: { Type: AWS::KMS::Alias, Properties: { AliasName: alias/world, TargetKeyId: !Ref Key } }
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties:
      Name: world/secret
      KmsKeyId: !Ref Key
      GenerateSecretString: { SecretStringTemplate: '{"username":"me"}', GenerateStringKey: password, PasswordLength: 24 }
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: world-role
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{ Effect: Allow, Principal: { AWS: !Sub "arn:aws:iam::${AWS::AccountId}:root" }, Action: "sts:AssumeRole" }]
      Policies:
        - PolicyName: read
          PolicyDocument:
            Version: "2012-10-17"
            Statement: [{ Effect: Allow, Action: ["secretsmanager:GetSecretValue", "kms:Decrypt"], Resource: "*" }]
  Log: { Type: AWS::Logs::LogGroup, Properties: { LogGroupName: /world, RetentionInDays: 7 } }
Outputs:
  Secret: { Value: !Ref Secret, Export: { Name: world-secret } }
  Log: { Value: !GetAtt Log.Arn }
"""

cloudformation = client("cloudformation")
identity = client("sts").get_caller_identity()
equal(identity["Account"], "000000000000", "the account")

# A fresh account has a default network.
ec2 = client("ec2")
default = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
equal(len(default), 1, "default VPCs")
check(ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [default[0]["VpcId"]]}])["Subnets"], "default subnets")

created = cloudformation.create_stack(
    StackName="world", TemplateBody=TEMPLATE, Capabilities=["CAPABILITY_NAMED_IAM"],
    Tags=[{"Key": "team", "Value": "shop"}])
stack = stack_settled(cloudformation, "world")
equal(stack["StackStatus"], "CREATE_COMPLETE", "the stack's status")
equal(stack["StackId"], created["StackId"], "the stack's id")
resources = {r["LogicalResourceId"]: r for r in cloudformation.describe_stack_resources(StackName="world")["StackResources"]}
equal(len(resources), 7, "resources")
outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}

vpc = ec2.describe_vpcs(VpcIds=[resources["Network"]["PhysicalResourceId"]])["Vpcs"][0]
equal(vpc["CidrBlock"], "10.9.0.0/16", "the VPC's network")
check({"Key": "aws:cloudformation:stack-name", "Value": "world"} in vpc["Tags"], "the VPC carries its stack's name")
subnet = ec2.describe_subnets(SubnetIds=[resources["Inside"]["PhysicalResourceId"]])["Subnets"][0]
equal(subnet["VpcId"], vpc["VpcId"], "the subnet's VPC")

kms = client("kms")
key = kms.describe_key(KeyId="alias/world")["KeyMetadata"]
equal(key["KeyId"], resources["Key"]["PhysicalResourceId"], "the key behind the alias")
sealed = kms.encrypt(KeyId="alias/world", Plaintext=b"plain")["CiphertextBlob"]
equal(kms.decrypt(CiphertextBlob=sealed)["Plaintext"], b"plain", "what was encrypted")

secrets = client("secretsmanager")
secret = secrets.get_secret_value(SecretId="world/secret")
equal(secret["ARN"], outputs["Secret"], "the secret's ARN")
check('"username":"me"' in secret["SecretString"], "the secret's template")
equal(secrets.describe_secret(SecretId="world/secret")["KmsKeyId"], key["KeyId"], "the secret's key")

iam = client("iam")
equal(iam.get_role(RoleName="world-role")["Role"]["RoleName"], "world-role", "the role")
lent = client("sts").assume_role(RoleArn=iam.get_role(RoleName="world-role")["Role"]["Arn"], RoleSessionName="me")["Credentials"]
as_role = dict(
    aws_access_key_id=lent["AccessKeyId"], aws_secret_access_key=lent["SecretAccessKey"],
    aws_session_token=lent["SessionToken"])
client("secretsmanager", **as_role).get_secret_value(SecretId="world/secret")
code, status, _ = refused(lambda: client("secretsmanager", **as_role).delete_secret(SecretId="world/secret"))
equal((code, status), ("AccessDeniedException", 400), "what the role may not")

logs = client("logs")
logs.create_log_stream(logGroupName="/world", logStreamName="one")
now = int(time.time() * 1000)
logs.put_log_events(
    logGroupName="/world", logStreamName="one",
    logEvents=[{"timestamp": now, "message": "hello"}, {"timestamp": now + 1, "message": "an ERROR came"}])
equal([e["message"] for e in logs.filter_log_events(logGroupName="/world", filterPattern="ERROR")["events"]],
      ["an ERROR came"], "filtered events")
equal(len(logs.get_log_events(logGroupName="/world", logStreamName="one", startFromHead=True)["events"]), 2, "events")

s3 = client("s3")
s3.create_bucket(Bucket="world-bucket")
s3.put_object(Bucket="world-bucket", Key="a//b c/ü.txt", Body=b"0123456789", ContentType="text/plain")
equal(s3.get_object(Bucket="world-bucket", Key="a//b c/ü.txt", Range="bytes=2-4")["Body"].read(), b"234", "a range")
equal([o["Key"] for o in s3.list_objects_v2(Bucket="world-bucket", Prefix="a//")["Contents"]], ["a//b c/ü.txt"], "keys")
s3.delete_object(Bucket="world-bucket", Key="a//b c/ü.txt")
s3.delete_bucket(Bucket="world-bucket")

cloudformation.update_stack(
    StackName="world", TemplateBody=TEMPLATE.replace("RetentionInDays: 7", "RetentionInDays: 30"),
    Capabilities=["CAPABILITY_NAMED_IAM"])
equal(stack_settled(cloudformation, "world")["StackStatus"], "UPDATE_COMPLETE", "the stack after its update")
equal(logs.describe_log_groups(logGroupNamePrefix="/world")["logGroups"][0]["retentionInDays"], 30, "the retention")

cloudformation.delete_stack(StackName="world")
cloudformation.get_waiter("stack_delete_complete").wait(StackName=created["StackId"], WaiterConfig={"Delay": 1})
code, _, message = refused(lambda: cloudformation.describe_stacks(StackName="world"))
equal((code, message), ("ValidationError", "Stack with id world does not exist"), "the stack that is gone")
equal(logs.describe_log_groups(logGroupNamePrefix="/world")["logGroups"], [], "log groups that are left")
equal(kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"], "PendingDeletion", "the key")
until("the VPC is gone", lambda: len(ec2.describe_vpcs()["Vpcs"]) == 1, 5)
say(resources=len(resources))
