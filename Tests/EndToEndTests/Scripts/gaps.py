"""What is not built answers 501 by name, in the shape that the caller's own protocol has for errors."""

from castle import check, client, equal, refused, say

KNOWN = {
    # Operations of services that Castle has.
    "query": lambda: client("cloudformation").list_types(),
    "query, IAM": lambda: client("iam").generate_credential_report(),
    "ec2": lambda: client("ec2").describe_spot_price_history(),
    "json 1.1": lambda: client("kms").describe_custom_key_stores(),
    "json 1.1, logs": lambda: client("logs").describe_queries(),
    "rest-xml": lambda: client("s3").get_bucket_analytics_configuration(Bucket="bucket", Id="i"),
}
UNKNOWN = {
    # Services that it has not.
    "query (SNS)": lambda: client("sns").list_topics(),
    "json 1.0 (SQS)": lambda: client("sqs").list_queues(),
    "json 1.0 (DynamoDB)": lambda: client("dynamodb").list_tables(),
    "json 1.1 (Kinesis)": lambda: client("kinesis").list_streams(),
    "rest-json (Lambda)": lambda: client("lambda").list_functions(),
    "rest-xml (CloudFront)": lambda: client("cloudfront").list_distributions(),
}
for protocol, call in (KNOWN | UNKNOWN).items():
    code, status, message = refused(call)
    equal((code, status), ("NotImplemented", 501), protocol)
    check("Castle does not implement" in message, f"{protocol} says {message!r}")
say(calls=len(KNOWN) + len(UNKNOWN))
