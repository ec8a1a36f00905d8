#!/usr/bin/env python3
"""Reads answers that our codecs wrote (a JSON file, first argument) with botocore's own parsers and compares.

Each entry: module's botocore name, operation, protocol, status, headers, body (base64), and either `output` (the tree
that was written) or `error` ({code, message}). Prints every difference; exits 1 when there is one.
"""
import base64
import datetime
import json
import sys

import botocore.httpchecksum  # noqa: F401  (loads what the parsers expect)
import botocore.loaders
import botocore.model
import botocore.parsers
from botocore.compat import HTTPHeaders

LOADER = botocore.loaders.Loader()
MODELS = {}


def model(name):
    if name not in MODELS:
        MODELS[name] = botocore.model.ServiceModel(LOADER.load_service_model(name, "service-2"), name)
    return MODELS[name]


def plain(value, shape=None):
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        delta = value - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return {"$time": delta // datetime.timedelta(milliseconds=1)}
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return {"$double": {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[str(value)]}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


class Headers(dict):
    """What botocore's HTTP layer hands its parsers: names without case."""

    def __init__(self, pairs):
        super().__init__()
        for name, value in pairs:
            self[name.lower()] = value

    def __contains__(self, key):
        return super().__contains__(key.lower())

    def __getitem__(self, key):
        return super().__getitem__(key.lower())

    def get(self, key, default=None):
        return super().get(key.lower(), default)


def check(case):
    service = model(case["service"])
    operation = service.operation_model(case["operation"])
    parser = botocore.parsers.create_parser(case["protocol"])
    response = {
        "status_code": case["status"], "headers": Headers(case["headers"]),
        "body": base64.b64decode(case["body"]), "context": {"operation_name": case["operation"]},
    }
    parsed = parser.parse(response, operation.output_shape)
    metadata = parsed.pop("ResponseMetadata", {})
    problems = []
    if metadata.get("RequestId") != case["requestID"]:
        problems.append("request id %r" % metadata.get("RequestId"))
    if "error" in case:
        error = parsed.get("Error", {})
        for key, value in case["error"].items():
            if error.get(key) != value:
                problems.append("error %s is %r, not %r" % (key, error.get(key), value))
        return problems
    if case["service"] == "s3" and case["operation"] == "GetBucketLocation":
        # botocore reads this answer in a handler outside its parsers: the root is the value.
        text = base64.b64decode(case["body"]).decode()
        want = case["output"].get("LocationConstraint", "")
        if not text.split("?>\n", 1)[1].endswith(">%s</LocationConstraint>" % want):
            problems.append(text)
        return problems
    got, want = plain(parsed), case["output"]
    if got != want:
        problems.append("\n   got  %s\n   want %s" % (json.dumps(got, sort_keys=True), json.dumps(want, sort_keys=True)))
    return problems


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    bad = 0
    for case in cases:
        try:
            problems = check(case)
        except Exception as error:  # what botocore throws at an answer is the finding
            problems = ["%s: %s" % (type(error).__name__, error)]
        for problem in problems:
            bad += 1
            print("%s.%s (%s): %s" % (case["service"], case["operation"], case["protocol"], problem))
            print("   ", base64.b64decode(case["body"])[:600])
    print("%d answers, %d differences" % (len(cases), bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
