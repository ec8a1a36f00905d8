// Who is let in, who is not, and in what words.

import AWSCore
import Testing

@testable import SigV4

@Suite("Verification")
struct VerifierTests {
  private let signer = SigV4.Signer(
    credentials: .init(accessKeyID: "AKID", secretAccessKey: "secret"), region: "us-east-1", service: "s3")

  private func request(_ target: String = "/b/k", _ extra: SigV4.Headers = []) -> SigV4.Request {
    SigV4.Request(method: "GET", target: target, headers: [("host", "h")] + extra)
  }

  private func failure(
    _ request: SigV4.Request, _ style: SigV4.ErrorStyle, now: Timestamp = Golden.time, region: String? = nil,
    service: String? = nil, payloadHash: String? = nil
  ) -> AWSError? {
    do {
      let parsed = try SigV4.ParsedAuthorization(request)
      _ = try SigV4.Verifier().verify(
        request, parsed, secretAccessKey: "secret", style: style, now: now, payloadHash: payloadHash, region: region,
        service: service)
      return nil
    } catch { return error.awsError(style) }
  }

  private func signed(_ request: SigV4.Request, service: String = "s3", payload: SigV4.Payload = .empty)
    -> SigV4.Request
  {
    var signer = signer
    signer.service = service
    signer.rules = SigV4.Rules(service: service)
    var request = request
    request.headers += signer.sign(request, payload: payload, at: Golden.time).headers
    return request
  }

  private func presigned(_ request: SigV4.Request, expires: Int) -> SigV4.Request {
    var request = request
    request.query = signer.presign(request, expires: expires, at: Golden.time).query
    return request
  }

  @Test("a request without a signature is told so in each family's words")
  func missing() {
    #expect(failure(request(), .json)?.code == "MissingAuthenticationTokenException")
    #expect(failure(request(), .query)?.code == "MissingAuthenticationToken")
    #expect(failure(request(), .s3)?.code == "AccessDenied")
  }

  @Test("an Authorization header may be spaced in any way")
  func spacing() throws {
    let tight = "AWS4-HMAC-SHA256 Credential=A/B/20260307/r/s/aws4_request,SignedHeaders=host;X-Amz-Date,Signature=AB"
    let loose =
      "  AWS4-HMAC-SHA256   Credential = A/B/20260307/r/s/aws4_request ,\tSignedHeaders=host;x-amz-date , Signature=ab "
    for text in [tight, loose] {
      let parsed = try SigV4.ParsedAuthorization(
        request("/", [("Authorization", text), ("x-amz-date", "20260307T000000Z")]))
      #expect(parsed.accessKeyID == "A/B")
      #expect(parsed.signedHeaders == ["host", "x-amz-date"])
      #expect(parsed.signature == "ab")
    }
  }

  @Test(
    "a malformed Authorization header is told what it lacks",
    arguments: [
      ("AWS4-HMAC-SHA256 Credential=a/20260307/r/s/aws4_request, SignedHeaders=host", "'Signature' parameter"),
      ("AWS4-HMAC-SHA256 Credential=a/r/s/aws4_request, SignedHeaders=host, Signature=a", "5 slash-delimited"),
      ("AWS4-HMAC-SHA256 nonsense", "missing equal-sign"), ("AWS4-HMAC-SHA256", "'Credential' parameter"),
    ])
  func malformed(_ header: String, _ part: String) {
    let bad = request("/", [("Authorization", header), ("x-amz-date", "20260307T000000Z")])
    #expect(failure(bad, .json)?.code == "IncompleteSignatureException")
    #expect(failure(bad, .query)?.code == "IncompleteSignature")
    #expect(failure(bad, .s3)?.code == "AuthorizationHeaderMalformed")
    #expect(failure(bad, .query)?.message.contains(part) == true)
  }

  @Test("Signature Version 2 is refused and 4A is not built")
  func otherAlgorithms() {
    #expect(failure(request("/", [("Authorization", "AWS AKID:x=")]), .s3)?.code == "InvalidRequest")
    #expect(failure(request("/?AWSAccessKeyId=a&Signature=b&Expires=1"), .s3)?.code == "InvalidRequest")
    let asymmetric = failure(request("/", [("Authorization", "AWS4-ECDSA-P256-SHA256 Credential=x")]), .s3)
    #expect(asymmetric?.status == 501)
  }

  @Test("a wrong signature shows S3's callers what was expected, and others nothing")
  func mismatch() throws {
    var bad = signed(request("/b/k?versions"))
    bad.path = "/b/other"
    let error = try #require(failure(bad, .s3))
    #expect(error.code == "SignatureDoesNotMatch" && error.status == 403)
    #expect(error.fields["CanonicalRequest"]?.hasPrefix("GET\n/b/other\nversions=\nhost:h\n") == true)
    #expect(
      error.fields["StringToSign"]?.hasPrefix("AWS4-HMAC-SHA256\n20260307T090502Z\n20260307/us-east-1/s3/") == true)
    #expect(error.fields["AWSAccessKeyId"] == "AKID")
    var json = signed(request(), service: "kms")
    json.method = "POST"
    let other = try #require(failure(json, .json))
    #expect(other.code == "InvalidSignatureException" && other.status == 400 && other.fields.isEmpty)
    #expect(failure(json, .query)?.code == "SignatureDoesNotMatch")
    #expect(failure(json, .ec2)?.code == "AuthFailure")
  }

  @Test("clocks may differ by five minutes, on S3 by fifteen")
  func skew() {
    let s3 = signed(request())
    #expect(failure(s3, .s3, now: Golden.time.adding(seconds: 899)) == nil)
    #expect(failure(s3, .s3, now: Golden.time.adding(seconds: 901))?.code == "RequestTimeTooSkewed")
    #expect(failure(s3, .s3, now: Golden.time.adding(seconds: -901))?.code == "RequestTimeTooSkewed")
    let kms = signed(request(), service: "kms")
    #expect(failure(kms, .json, now: Golden.time.adding(seconds: -299)) == nil)
    let late = failure(kms, .json, now: Golden.time.adding(seconds: 301))
    #expect(late?.code == "InvalidSignatureException")
    #expect(
      late?.message
        == "Signature expired: 20260307T090502Z is now earlier than 20260307T090503Z (20260307T091003Z - 5 min.)")
  }

  @Test("a presigned URL works until it expires")
  func expiry() {
    let url = presigned(request("/b/a%20b?response-content-type=text%2Fplain"), expires: 3600)
    #expect(failure(url, .s3, now: Golden.time.adding(seconds: 3600)) == nil)
    let late = failure(url, .s3, now: Golden.time.adding(seconds: 3601))
    #expect(late?.code == "AccessDenied" && late?.message == "Request has expired")
    #expect(late?.fields["Expires"] == "2026-03-07T10:05:02Z")
    #expect(failure(url, .s3, now: Golden.time.adding(seconds: -901))?.code == "AccessDenied")
    #expect(failure(presigned(request(), expires: 604_800), .s3) == nil)
    #expect(failure(presigned(request(), expires: 604_801), .s3)?.code == "AuthorizationQueryParametersError")
    #expect(failure(presigned(request(), expires: -1), .s3)?.code == "AuthorizationQueryParametersError")
  }

  @Test("a presigned URL that lacks a parameter, or has it twice, is refused")
  func incompleteQuery() {
    var url = presigned(request(), expires: 60)
    url.query += "&X-Amz-Expires=600000"
    #expect(failure(url, .s3)?.code == "AuthorizationQueryParametersError")
    #expect(
      failure(request("/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=a"), .s3)?.code
        == "AuthorizationQueryParametersError")
    #expect(failure(request("/?X-Amz-Meta=1"), .query)?.code == "MissingAuthenticationToken")
  }

  @Test("S3 refuses x-amz headers that were not signed")
  func unsignedHeaders() {
    var sneaky = signed(request())
    sneaky.headers.append(("x-amz-acl", "public-read"))
    let error = failure(sneaky, .s3)
    #expect(error?.code == "AccessDenied")
    #expect(error?.fields["HeadersNotSigned"] == "x-amz-acl")
    var late = presigned(request(), expires: 60)
    late.headers.append(("X-Amz-Copy-Source", "/b/x"))
    #expect(failure(late, .s3)?.fields["HeadersNotSigned"] == "x-amz-copy-source")
  }

  @Test("the host must be signed")
  func host() {
    var bare = request()
    bare.headers = []
    bare.headers = signer.sign(bare, at: Golden.time).headers
    #expect(failure(bare, .s3)?.fields["HeadersNotSigned"] == "host")
    #expect(failure(bare, .json)?.code == "InvalidSignatureException")
  }

  @Test("a scope for another region, service or day is refused")
  func scope() {
    #expect(failure(signed(request()), .s3, region: "eu-west-1")?.fields["Region"] == "eu-west-1")
    #expect(
      failure(signed(request(), service: "kms"), .json, service: "sts")?.message
        == "Credential should be scoped to correct service: 'sts'.")
    var day = signed(request())
    for i in day.headers.indices where day.headers[i].name == "Authorization" {
      day.headers[i].value = day.headers[i].value.split(separator: "20260307").joined(separator: "20260306")
    }
    #expect(failure(day, .s3)?.code == "AuthorizationHeaderMalformed")
    #expect(failure(day, .query)?.code == "SignatureDoesNotMatch")
  }

  @Test("the body's hash counts: stated on S3, computed elsewhere")
  func bodyHash() {
    let body = Array("body".utf8)
    let s3 = signed(request(), payload: .bytes(body))
    #expect(failure(s3, .s3) == nil)
    #expect(failure(s3, .s3, payloadHash: SigV4.payloadHash(body)) == nil)
    #expect(failure(s3, .s3, payloadHash: SigV4.emptyPayloadHash)?.code == "XAmzContentSHA256Mismatch")
    let kms = signed(request(), service: "kms", payload: .bytes(body))
    #expect(failure(kms, .json, payloadHash: SigV4.payloadHash(body)) == nil)
    #expect(failure(kms, .json)?.code == "InvalidSignatureException")
    var odd = request("/", [])
    odd.headers += signer.sign(odd, payload: .sha256("nonsense"), at: Golden.time).headers
    #expect(failure(odd, .s3)?.code == "InvalidArgument")
  }

  @Test("paths spelled otherwise than AWS would are verified as long as the client signed one of the usual spellings")
  func spellings() {
    for path in ["/b/a+b", "/b/a@b:c", "/b/a%2fb", "/b/%41", "/b/é", "/b/a%2Fb/../c//"] {
      #expect(failure(signed(request(path)), .s3) == nil, "\(path)")
      #expect(failure(signed(request(path), service: "kms"), .json) == nil, "\(path)")
    }
    #expect(failure(signed(request("/b?prefix=a+b&x=%2b&delimiter=/")), .s3) == nil)
    // Signed byte for byte as sent.
    var verbatim = request("/b/a@b?prefix=a+b")
    verbatim.headers += [("x-amz-date", Golden.time.basic), ("x-amz-content-sha256", SigV4.unsignedPayload)]
    let scope = SigV4.Scope(date: "20260307", region: "us-east-1", service: "s3")
    let canonical =
      "GET\n/b/a@b\nprefix=a+b\nhost:h\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:\(Golden.time.basic)\n\n"
      + "host;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD"
    let signature = SigV4.SigningKey(secretAccessKey: "secret", scope: scope).signature(
      of: SigV4.stringToSign(canonicalRequest: canonical, timestamp: Golden.time.basic, scope: scope))
    verbatim.headers.append(
      (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=AKID/\(scope),SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
          + "Signature=\(signature)"
      ))
    #expect(failure(verbatim, .s3) == nil)
  }

  @Test("the cache of signing keys stays within its bound and gives the same keys")
  func cache() {
    let cache = SigV4.SigningKeyCache(capacity: 8)
    for i in 0..<100 {
      let scope = SigV4.Scope(date: "20260307", region: "r\(i % 20)", service: "s")
      let fresh = SigV4.SigningKey(secretAccessKey: "k", scope: scope).signature(of: "x")
      #expect(cache.key(secretAccessKey: "k", scope: scope).signature(of: "x") == fresh)
      #expect(cache.count <= 8)
    }
  }

  @Test("arbitrary bytes in the Authorization header never crash the reader")
  func fuzz() {
    var generator = SystemRandomNumberGenerator()
    let good = Array("AWS4-HMAC-SHA256 Credential=a/20260307/r/s/aws4_request, SignedHeaders=host, Signature=ab".utf8)
    for _ in 0..<2000 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      let text = String(decoding: bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)), as: UTF8.self)
      _ = try? SigV4.ParsedAuthorization(request("/?X-Amz-Signature=\(text)", [("authorization", text)]))
      _ = try? SigV4.ParsedAuthorization(request("/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\(text)"))
    }
  }
}
