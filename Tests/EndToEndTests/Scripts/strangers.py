"""A strict castle: who is let in, and how each protocol says no."""

from botocore import UNSIGNED
from botocore.config import Config

from castle import check, client, environment, equal, refused, say

UNKNOWN = dict(aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="wrong")
FORGED = dict(aws_access_key_id=environment("AWS_ACCESS_KEY_ID"), aws_secret_access_key="wrong")

CALLS = {
    # service: (call, code for an unknown key, code for a wrong secret)
    "sts": (lambda c: c.get_caller_identity(), "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "iam": (lambda c: c.list_roles(), "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "cloudformation": (lambda c: c.list_stacks(), "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "elbv2": (lambda c: c.describe_load_balancers(), "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "ec2": (lambda c: c.describe_vpcs(), "AuthFailure", "AuthFailure"),
    "kms": (lambda c: c.list_keys(), "UnrecognizedClientException", "InvalidSignatureException"),
    "secretsmanager": (lambda c: c.list_secrets(), "UnrecognizedClientException", "InvalidSignatureException"),
    "logs": (lambda c: c.describe_log_groups(), "UnrecognizedClientException", "InvalidSignatureException"),
    "s3": (lambda c: c.list_buckets(), "InvalidAccessKeyId", "SignatureDoesNotMatch"),
}

for service, (call, unknown, forged) in CALLS.items():
    call(client(service))
    code, status, message = refused(lambda: call(client(service, **UNKNOWN)))
    equal(code, unknown, f"{service} to an unknown key")
    check(status in (400, 401, 403), f"{service} answers {status}")
    code, status, message = refused(lambda: call(client(service, **FORGED)))
    equal(code, forged, f"{service} to a wrong secret")
    code, status, message = refused(lambda: call(client(service, config=Config(signature_version=UNSIGNED))))
    check(status in (400, 401, 403), f"{service} answers {status} {code} to nobody")
say(services=len(CALLS))
