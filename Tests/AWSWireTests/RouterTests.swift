// Requests find their service and operation, and what nobody knows is told so in its own protocol.

import AWSCore
import AWSWire
import Testing

@Suite("Routing")
struct RouterTests {
  private func found(
    _ method: String, _ path: String, _ query: String = "", host: String = "localhost:4566",
    headers: [String: String] = [:],
    signed: String? = "s3", body: String = ""
  ) throws -> RoutedRequest {
    var request = WireRequest(method: method, path: path, query: query, headers: ["Host": host], body: Array(body.utf8))
    for (name, value) in headers { request.headers.append(name, value) }
    return try Models.router.route(request, signingName: signed)
  }

  private func name(
    _ method: String, _ path: String, _ query: String = "", host: String = "localhost:4566",
    headers: [String: String] = [:],
    signed: String? = "s3", body: String = ""
  ) throws -> String {
    let routed = try found(method, path, query, host: host, headers: headers, signed: signed, body: body)
    return "\(routed.model.header.endpointPrefix):\(routed.operationName)"
  }

  @Test(
    "S3 requests are told apart by method, path and sub-resource",
    arguments: [
      ("GET", "/", "", "ListBuckets"), ("GET", "/", "x-id=ListBuckets", "ListBuckets"),
      ("GET", "/b", "", "ListObjects"), ("GET", "/b/", "list-type=2&prefix=x", "ListObjectsV2"),
      ("GET", "/b", "list-type=1", "ListObjects"), ("PUT", "/b", "", "CreateBucket"),
      ("PUT", "/b/", "", "CreateBucket"),
      ("HEAD", "/b", "", "HeadBucket"), ("HEAD", "/b/k", "", "HeadObject"), ("GET", "/b", "policy", "GetBucketPolicy"),
      ("GET", "/b", "policy=", "GetBucketPolicy"), ("PUT", "/b", "versioning", "PutBucketVersioning"),
      ("PUT", "/b/k", "", "PutObject"), ("PUT", "/b/k", "x-id=PutObject", "PutObject"),
      ("PUT", "/b/k", "partNumber=1&uploadId=u", "UploadPart"), ("POST", "/b/k", "uploads", "CreateMultipartUpload"),
      ("POST", "/b/k", "uploads=", "CreateMultipartUpload"), ("POST", "/b/k", "uploadId=u", "CompleteMultipartUpload"),
      ("DELETE", "/b/k", "uploadId=u", "AbortMultipartUpload"), ("GET", "/b/k", "uploadId=u", "ListParts"),
      ("GET", "/b", "uploads", "ListMultipartUploads"), ("DELETE", "/b/k", "versionId=v", "DeleteObject"),
      ("POST", "/b", "delete", "DeleteObjects"), ("POST", "/b/", "delete=", "DeleteObjects"),
      ("GET", "/b//k/", "", "GetObject"), ("GET", "/b/k", "v=123&cache", "GetObject"),
      ("GET", "/b/k", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=1&response-content-type=a", "GetObject"),
      ("PUT", "/b/k", "AWSAccessKeyId=a&Signature=b&Expires=1", "PutObject"),
      ("GET", "/b", "lifecycle", "GetBucketLifecycleConfiguration"), ("PUT", "/b/k", "tagging", "PutObjectTagging"),
      // Known to AWS, whether built here or not.
      ("GET", "/b", "analytics", "ListBucketAnalyticsConfigurations"),
      ("GET", "/b", "analytics&id=x", "GetBucketAnalyticsConfiguration"),
      ("PUT", "/b", "inventory&id=x", "PutBucketInventoryConfiguration"),
      ("POST", "/b/k", "select&select-type=2", "SelectObjectContent"), ("GET", "/b/k", "torrent", "GetObjectTorrent"),
    ])
  func s3(method: String, path: String, query: String, operation: String) throws {
    #expect(try name(method, path, query) == "s3:\(operation)")
    #expect(try name(method, path, query, signed: nil) == "s3:\(operation)")
  }

  @Test("a copy is told by its header")
  func copies() throws {
    let copy = ["x-amz-copy-source": "a/b"]
    #expect(try name("PUT", "/b/k", "", headers: copy) == "s3:CopyObject")
    #expect(try name("PUT", "/b/k", "partNumber=1&uploadId=u", headers: copy) == "s3:UploadPartCopy")
  }

  @Test(
    "a change with a sub-resource that nobody knows is refused by name, never taken for another operation",
    arguments: [
      ("PUT", "/b", "frobnicate"), ("PUT", "/b/k", "frobnicate="), ("DELETE", "/b", "frobnicate"),
      ("PUT", "/b/k", "uploadId=u"), ("DELETE", "/b/k", "versioning"), ("POST", "/b/k", "frobnicate"),
      ("GET", "/b/k", "versioning"),
    ])
  func unknownSubresource(method: String, path: String, query: String) throws {
    let failure = #expect(throws: RoutingFailure.self) { try found(method, path, query) }
    #expect(failure?.error.status == 501)
    #expect(failure?.error.message.contains(query.prefix { $0 != "=" }) == true)
    #expect(
      failure.map { String(decoding: $0.response(requestID: "r").body, as: UTF8.self).contains("<Error>") } == true)
  }

  @Test(
    "a bucket in the host's name becomes the path's first part",
    arguments: [
      ("bucket.s3.us-east-1.amazonaws.com", "/bucket/k"), ("bucket.s3.amazonaws.com", "/bucket/k"),
      ("my.dotted.bucket.s3.localhost:4566", "/my.dotted.bucket/k"), ("bucket.localhost:4566", "/bucket/k"),
      ("bucket.s3-eu-west-1.amazonaws.com", "/bucket/k"), ("s3.us-east-1.amazonaws.com", "/k"),
      ("s3.localhost", "/k"), ("127.0.0.1:4566", "/k"), ("localhost", "/k"), ("[::1]:80", "/k"),
      ("bucket.s3.dualstack.eu-west-1.amazonaws.com", "/bucket/k"),
    ])
  func virtualHosts(host: String, path: String) throws {
    for signed in ["s3", nil] { #expect(try found("GET", "/k", host: host, signed: signed).request.path == path) }
  }

  @Test("a service is told by its host's name when nothing is signed")
  func hosts() throws {
    let form = ["Content-Type": "application/x-www-form-urlencoded; charset=utf-8"]
    let body = "Action=DescribeTargetGroups&Version=2015-12-01"
    #expect(
      try name(
        "POST", "/", host: "elasticloadbalancing.eu-west-1.amazonaws.com", headers: form, signed: nil, body: body)
        == "elasticloadbalancing:DescribeTargetGroups")
    #expect(
      try name("POST", "/", headers: form, signed: nil, body: body) == "elasticloadbalancing:DescribeTargetGroups")
    #expect(
      try name("GET", "/", "Action=GetCallerIdentity&Version=2011-06-15", signed: nil) == "sts:GetCallerIdentity")
  }

  @Test("an action that several services have goes to the version that the request names")
  func versions() throws {
    let form = ["Content-Type": "application/x-www-form-urlencoded"]
    func find(_ version: String) throws -> String {
      try name("POST", "/", headers: form, signed: nil, body: "Action=DescribeEvents&Version=\(version)")
    }
    #expect(try find("2014-10-31") == "rds:DescribeEvents")
    #expect(try find("2015-02-02") == "elasticache:DescribeEvents")
  }

  @Test(
    "Route 53 is told by its path, with and without a slash at the end",
    arguments: [
      ("GET", "/2013-04-01/hostedzone", "ListHostedZones"), ("GET", "/2013-04-01/hostedzone/", "ListHostedZones"),
      ("POST", "/2013-04-01/hostedzone/Z1/rrset", "ChangeResourceRecordSets"),
      ("POST", "/2013-04-01/hostedzone/Z1/rrset/", "ChangeResourceRecordSets"),
      ("GET", "/2013-04-01/hostedzone/Z1", "GetHostedZone"),
      ("GET", "/2013-04-01/hostedzonecount", "GetHostedZoneCount"),
      ("POST", "/2013-04-01/healthcheck", "CreateHealthCheck"),
    ])
  func route53(method: String, path: String, operation: String) throws {
    for signed in ["route53", nil] { #expect(try name(method, path, signed: signed) == "route53:\(operation)") }
  }

  @Test("an operation that is known but not built says so by name")
  func notBuilt() throws {
    let routed = try found("PUT", "/b", "accelerate")
    #expect(routed.operationName == "PutBucketAccelerateConfiguration")
    #expect(!routed.isBuilt)
    let error = #expect(throws: AWSError.self) { try routed.input() }
    #expect(error?.status == 501)
    #expect(error?.message.contains("PutBucketAccelerateConfiguration") == true)
  }

  @Test("an operation that AWS does not have is refused in the protocol's own words")
  func unknown() throws {
    let target = #expect(throws: RoutingFailure.self) {
      try found("POST", "/", headers: ["X-Amz-Target": "TrentService.Frobnicate"], signed: "kms")
    }
    #expect(target?.error.code == "UnknownOperationException")
    #expect(target?.wireProtocol == .json)
    let action = #expect(throws: RoutingFailure.self) {
      try found(
        "POST", "/", headers: ["Content-Type": "application/x-www-form-urlencoded"], signed: "iam",
        body: "Action=Frobnicate&Version=2010-05-08")
    }
    #expect(action?.error.code == "InvalidAction")
    #expect(action?.wireProtocol == .query)
    let ec2 = #expect(throws: RoutingFailure.self) {
      try found(
        "POST", "/", headers: ["Content-Type": "application/x-www-form-urlencoded"], signed: "ec2",
        body: "Action=Frobnicate&Version=2016-11-15")
    }
    #expect(ec2?.wireProtocol == .ec2)
    let service = #expect(throws: RoutingFailure.self) {
      try found("POST", "/", headers: ["X-Amz-Target": "DynamoDB_20120810.ListTables"], signed: "dynamodb")
    }
    #expect(service?.error.status == 501)
    #expect(service?.error.message.contains("dynamodb") == true)
    let classic = #expect(throws: RoutingFailure.self) {
      try found(
        "POST", "/", headers: ["Content-Type": "application/x-www-form-urlencoded"], signed: "elasticloadbalancing",
        body: "Action=DescribeLoadBalancers&Version=2012-06-01")
    }
    #expect(classic?.error.status == 501)
  }

  @Test("a bucket may be called like a service")
  func namesake() throws {
    let headers = ["X-Amz-Target": "TrentService.ListKeys"]
    #expect(try found("GET", "/k", host: "kms.localhost", signed: "s3").request.path == "/kms/k")
    #expect(try name("POST", "/", host: "kms.localhost", headers: headers, signed: "kms") == "kms:ListKeys")
  }

  @Test("a request says whether its body streams, before the body is there")
  func streaming() throws {
    #expect(try found("PUT", "/b/k").hasStreamingInput)
    #expect(try found("GET", "/b/k").hasStreamingOutput)
    #expect(try !found("PUT", "/b", "tagging").hasStreamingInput)
    let form: WireHeaders = ["Content-Type": "application/x-www-form-urlencoded"]
    #expect(ServiceRouter.needsBody(WireRequest(method: "POST", path: "/", headers: form)))
    #expect(!ServiceRouter.needsBody(WireRequest(method: "PUT", path: "/b/k", headers: form)))
  }

  @Test("an answer to HEAD has no body, also when it is an error")
  func head() throws {
    let routed = try found("HEAD", "/b/k")
    let response = routed.response(error: AWSError("NoSuchKey", "no", status: 404), requestID: "r")
    #expect(response.status == 404)
    #expect(response.body.isEmpty)
    #expect(response.headers["X-Amz-Request-Id"] == "r")
  }
}
