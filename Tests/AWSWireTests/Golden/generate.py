#!/usr/bin/env python3
"""Writes requests.json: requests as botocore's own serialisers write them, with the parameters they hold.

    python3 Tests/AWSWireTests/Golden/generate.py

Needs botocore 1.43. Values of special kinds are written {"$bytes": base64} and {"$time": milliseconds}.
"""
import base64
import datetime
import io
import json
import os
import urllib.parse

import botocore.awsrequest
import botocore.config
import botocore.loaders
import botocore.model
import botocore.serialize
import botocore.session

HERE = os.path.dirname(os.path.abspath(__file__))
LOADER = botocore.loaders.Loader()
TIME = datetime.datetime(2026, 11, 23, 3, 36, 9, tzinfo=datetime.timezone.utc)


def plain(value):
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return {"$time": int(value.timestamp() * 1000)}
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return {"$double": {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[str(value)]}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def request(module, service, operation, params, protocol=None):
    description = LOADER.load_service_model(service, "service-2")
    model = botocore.model.ServiceModel(description, service)
    protocol = protocol or model.resolved_protocol
    serializer = botocore.serialize.create_serializer(protocol, include_validation=True)
    op = model.operation_model(operation)
    raw = serializer.serialize_to_request(params, op)
    raw.setdefault("context", {})
    botocore.awsrequest.prepare_request_dict(
        raw, endpoint_url="https://%s.us-east-1.amazonaws.com" % model.endpoint_prefix, context={})
    made = botocore.awsrequest.create_request_object(raw).prepare()
    url = urllib.parse.urlsplit(made.url)
    body = made.body or b""
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, str):
        body = body.encode()
    text = {}
    try:
        text["text"] = body.decode("utf-8")
        if "\x00" in text["text"]:
            raise ValueError
    except ValueError:
        text = {"base64": base64.b64encode(body).decode()}
    headers = {k: (v.decode() if isinstance(v, bytes) else v) for k, v in made.headers.items()}
    headers["Host"] = url.netloc
    return {
        "module": module, "operation": operation, "protocol": protocol, "method": made.method,
        "path": url.path or "/", "query": url.query, "headers": headers, "body": text,
        "signingName": model.signing_name, "parameters": plain(params),
    }


def main():
    out = []

    def add(*args, **kwargs):
        out.append(request(*args, **kwargs))

    add("KMS", "kms", "Encrypt", {
        "KeyId": "alias/castle", "Plaintext": b"\x00\x01secret\xff",
        "EncryptionContext": {"purpose": "test", "naïve": "ünïcode \"quoted\" \\ \n tab\t"}})
    add("KMS", "kms", "ListKeys", {})
    add("KMS", "kms", "ScheduleKeyDeletion", {"KeyId": "k", "PendingWindowInDays": 7})
    add("SecretsManager", "secretsmanager", "CreateSecret", {
        "Name": "prod/db", "SecretString": "{\"password\": \"p\\\"ss\"}", "SecretBinary": b"\x80\x81",
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}], "ForceOverwriteReplicaSecret": False,
        "ClientRequestToken": "0123456789abcdef0123456789abcdef"})
    add("IAM", "iam", "CreateRole", {
        "RoleName": "castle-task", "Path": "/castle/", "AssumeRolePolicyDocument": "{\"Version\": \"2012-10-17\"}",
        "MaxSessionDuration": 3600, "Tags": [{"Key": "team", "Value": "a=b c+d"}, {"Key": "u", "Value": "ü/漢"}, {"Key": "x", "Value": "y"}]})
    add("IAM", "iam", "PutRolePolicy", {"RoleName": "r", "PolicyName": "p", "PolicyDocument": "{\"a&b\": [\"%\"]}\r\n"})
    add("IAM", "iam", "ListUsers", {"MaxItems": 5})
    add("STS", "sts", "AssumeRole", {
        "RoleArn": "arn:aws:iam::000000000000:role/r", "RoleSessionName": "session", "DurationSeconds": 900,
        "Tags": [{"Key": "k", "Value": "v"}], "TransitiveTagKeys": ["k"]})
    add("CloudFormation", "cloudformation", "CreateStack", {
        "StackName": "shop", "TemplateBody": "Resources: {}\n",
        "Parameters": [{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "B", "UsePreviousValue": True}],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"], "TimeoutInMinutes": 5, "Tags": []})
    add("ELBv2", "elbv2", "CreateListener", {
        "LoadBalancerArn": "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/a/1", "Port": 443,
        "Protocol": "HTTPS", "Certificates": [{"CertificateArn": "arn:c"}],
        "DefaultActions": [
            {"Type": "forward", "Order": 1, "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": "arn:t1", "Weight": 9}, {"TargetGroupArn": "arn:t2", "Weight": 1}],
                "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60}}},
            {"Type": "authenticate-oidc", "Order": 2, "AuthenticateOidcConfig": {
                "Issuer": "https://i", "AuthorizationEndpoint": "a", "TokenEndpoint": "t", "UserInfoEndpoint": "u",
                "ClientId": "c", "AuthenticationRequestExtraParams": {"display": "page", "prompt": "login"}}}]})
    add("RDS", "rds", "CreateDBCluster", {
        "DBClusterIdentifier": "orders", "Engine": "aurora-postgresql", "MasterUsername": "root",
        "MasterUserPassword": "s3cr3t pass", "AvailabilityZones": ["us-east-1a", "us-east-1b"],
        "VpcSecurityGroupIds": ["sg-1"], "BackupRetentionPeriod": 7, "StorageEncrypted": True,
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 16.0},
        "Tags": [{"Key": "a", "Value": "b"}], "EnableCloudwatchLogsExports": ["postgresql"]})
    add("RDS", "rds", "DescribeDBClusters", {"Filters": [{"Name": "engine", "Values": ["a", "b"]}], "MaxRecords": 20})
    add("ElastiCache", "elasticache", "CreateReplicationGroup", {
        "ReplicationGroupId": "sessions", "ReplicationGroupDescription": "s", "NumNodeGroups": 2,
        "NodeGroupConfiguration": [
            {"NodeGroupId": "0001", "Slots": "0-8191", "ReplicaCount": 1, "ReplicaAvailabilityZones": ["a", "b"]},
            {"NodeGroupId": "0002", "Slots": "8192-16383"}],
        "CacheSecurityGroupNames": ["x"], "SecurityGroupIds": ["sg-1", "sg-2"], "TransitEncryptionEnabled": True,
        "Tags": [{"Key": "a", "Value": "b"}], "PreferredCacheClusterAZs": ["us-east-1a"]})
    add("EC2", "ec2", "CreateVpc", {
        "CidrBlock": "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock": False, "DryRun": True,
        "TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "main"}]}]})
    add("EC2", "ec2", "AuthorizeSecurityGroupIngress", {
        "GroupId": "sg-1", "IpPermissions": [
            {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
             "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "all"}, {"CidrIp": "10.0.0.0/8"}],
             "UserIdGroupPairs": [{"GroupId": "sg-2", "UserId": "000000000000"}]},
            {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]})
    add("EC2", "ec2", "DescribeSubnets", {
        "Filters": [{"Name": "vpc-id", "Values": ["vpc-1", "vpc-2"]}, {"Name": "tag:a", "Values": ["b"]}],
        "MaxResults": 100})
    add("EC2", "ec2", "DescribeVpcs", {"VpcIds": ["vpc-1", "vpc-2"]})
    add("S3", "s3", "PutBucketTagging", {
        "Bucket": "my-bucket", "Tagging": {"TagSet": [{"Key": "a", "Value": "<&>\"'"}, {"Key": "b", "Value": " x "}]}})
    add("S3", "s3", "PutObject", {
        "Bucket": "my-bucket", "Key": "a folder//ünï+code%2F&=?/", "ACL": "public-read", "CacheControl": "max-age=3",
        "ContentType": "text/plain", "ContentLength": 0, "Metadata": {"color": "blue", "other-thing": "a, b"},
        "StorageClass": "STANDARD_IA", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k", "BucketKeyEnabled": True,
        "Tagging": "a=b&c=d", "ObjectLockRetainUntilDate": TIME, "IfNoneMatch": "*"})
    add("S3", "s3", "GetObject", {
        "Bucket": "my-bucket", "Key": "k", "Range": "bytes=0-9", "VersionId": "v1", "IfModifiedSince": TIME,
        "ResponseContentType": "text/html; charset=utf-8", "PartNumber": 2})
    add("S3", "s3", "ListObjectsV2", {
        "Bucket": "my-bucket", "Prefix": "a b/+", "Delimiter": "/", "MaxKeys": 7, "FetchOwner": True,
        "OptionalObjectAttributes": ["RestoreStatus"]})
    add("S3", "s3", "GetObjectAttributes", {
        "Bucket": "my-bucket", "Key": "k", "ObjectAttributes": ["ETag", "ObjectSize"], "MaxParts": 3})
    add("S3", "s3", "CreateMultipartUpload", {"Bucket": "my-bucket", "Key": "k", "Metadata": {"a": "b"}})
    add("S3", "s3", "UploadPartCopy", {
        "Bucket": "my-bucket", "Key": "k", "PartNumber": 3, "UploadId": "u", "CopySource": "other/key%20x",
        "CopySourceRange": "bytes=0-1"})
    add("S3", "s3", "CompleteMultipartUpload", {
        "Bucket": "my-bucket", "Key": "k", "UploadId": "u/+=",
        "MultipartUpload": {"Parts": [{"ETag": "\"e1\"", "PartNumber": 1}, {"ETag": "\"e2\"", "PartNumber": 2}]}})
    add("S3", "s3", "DeleteObjects", {
        "Bucket": "my-bucket", "BypassGovernanceRetention": True,
        "Delete": {"Quiet": True, "Objects": [{"Key": "a"}, {"Key": "b/ c\n", "VersionId": "v"}]}})
    add("S3", "s3", "PutBucketLifecycleConfiguration", {
        "Bucket": "my-bucket", "LifecycleConfiguration": {"Rules": [
            {"ID": "r", "Status": "Enabled",
             "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "b"}], "ObjectSizeGreaterThan": 500}},
             "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Date": TIME, "StorageClass": "GLACIER"}],
             "Expiration": {"Days": 365},
             "NoncurrentVersionTransitions": [{"NoncurrentDays": 5, "StorageClass": "GLACIER"}],
             "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}},
            {"ID": "s", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"ExpiredObjectDeleteMarker": True}}]}})
    add("S3", "s3", "PutBucketAcl", {
        "Bucket": "my-bucket", "AccessControlPolicy": {
            "Owner": {"ID": "o"}, "Grants": [
                {"Grantee": {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"},
                 "Permission": "READ"}]}})
    add("S3", "s3", "PutBucketPolicy", {"Bucket": "my-bucket", "Policy": "{\"Statement\": []}"})
    add("S3", "s3", "PutBucketCors", {"Bucket": "my-bucket", "CORSConfiguration": {"CORSRules": [
        {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*"], "ExposeHeaders": ["a"], "MaxAgeSeconds": 9}]}})
    add("S3", "s3", "CreateBucket", {
        "Bucket": "my-bucket", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}})
    add("S3", "s3", "ListBuckets", {"MaxBuckets": 3})
    add("Route53", "route53", "ChangeResourceRecordSets", {
        "HostedZoneId": "Z123", "ChangeBatch": {"Comment": "c", "Changes": [
            {"Action": "UPSERT", "ResourceRecordSet": {
                "Name": "a.example.com", "Type": "A", "TTL": 60, "Weight": 10, "SetIdentifier": "x",
                "ResourceRecords": [{"Value": "192.0.2.1"}, {"Value": "192.0.2.2"}]}},
            {"Action": "CREATE", "ResourceRecordSet": {
                "Name": "\\052.example.com", "Type": "A",
                "AliasTarget": {"HostedZoneId": "Z2", "DNSName": "lb.", "EvaluateTargetHealth": True}}}]}})
    add("Route53", "route53", "CreateHostedZone", {
        "Name": "example.com", "CallerReference": "r", "HostedZoneConfig": {"PrivateZone": False, "Comment": ""}})
    add("Route53", "route53", "ListResourceRecordSets", {"HostedZoneId": "Z123", "StartRecordName": "a.b", "MaxItems": "5"})
    metrics = {
        "Namespace": "Castle", "MetricData": [
            {"MetricName": "Requests", "Value": 1.5, "Unit": "Count", "Timestamp": TIME,
             "Dimensions": [{"Name": "a", "Value": "b"}, {"Name": "c", "Value": "d"}]},
            {"MetricName": "Latency", "Values": [1.0, 2.25], "Counts": [3.0, 4.0], "StorageResolution": 1}]}
    for protocol in ("smithy-rpc-v2-cbor", "json", "query"):
        add("CloudWatch", "cloudwatch", "PutMetricData", metrics, protocol=protocol)
    for protocol in ("smithy-rpc-v2-cbor", "json", "query"):
        add("CloudWatch", "cloudwatch", "GetMetricStatistics", {
            "Namespace": "Castle", "MetricName": "m", "StartTime": TIME, "EndTime": TIME, "Period": 60,
            "Statistics": ["Sum", "Average"]}, protocol=protocol)
    add("ECS", "ecs", "RegisterTaskDefinition", {
        "family": "web", "cpu": "256", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc",
        "containerDefinitions": [
            {"name": "app", "image": "i", "essential": True, "cpu": 0, "portMappings": [{"containerPort": 80}],
             "environment": [{"name": "A", "value": "1"}], "dockerLabels": {"x": "y"},
             "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g"}},
             "healthCheck": {"command": ["CMD", "true"], "interval": 5}}]})
    add("CloudWatchLogs", "logs", "PutLogEvents", {
        "logGroupName": "g", "logStreamName": "s", "logEvents": [
            {"timestamp": 1790000000123, "message": "hello\u2028 \U0001F3F0 world"}, {"timestamp": 1, "message": "x"}]})
    with io.open(os.path.join(HERE, "requests.json"), "w", encoding="utf-8") as file:
        json.dump(out, file, indent=1, sort_keys=True, ensure_ascii=True)
        file.write("\n")
    print(len(out), "requests")


if __name__ == "__main__":
    main()
