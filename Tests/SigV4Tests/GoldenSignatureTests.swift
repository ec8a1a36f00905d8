// Signatures that other implementations made, signed again and verified.

import AWSCore
import Testing

@testable import SigV4

/// Every literal here was made once by botocore 1.43.11 (SigV4Auth, S3SigV4Auth, S3SigV4QueryAuth and SigV4QueryAuth
/// with the time held at 2026-03-07T09:05:02Z).
enum Golden {
  static let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
  static let time = Timestamp(Timestamp.Civil(year: 2026, month: 3, day: 7, hour: 9, minute: 5, second: 2))

  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var service: String
    var method: String
    var target: String
    var headers: SigV4.Headers
    var payload: SigV4.Payload
    var token: String?
    var expires: Int?
    var signature: String
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(
      name: "a JSON call whose header has odd white space", service: "kms", method: "POST", target: "/",
      headers: [
        ("Host", "kms.eu-west-1.amazonaws.com"), ("Content-Type", "application/x-amz-json-1.1"),
        ("X-Amz-Target", "TrentService.Decrypt"), ("X-Ws", "  a   b\t c  "), ("User-Agent", "never signed"),
      ], payload: .bytes(Array(#"{"a":1}"#.utf8)),
      signature: "029d9da4affb5409d7bd0a44928d660ec350a528bc7399cfe9cc12c4842dcab5"),
    Case(
      name: "a path with dot segments and a query with repeated names", service: "execute-api", method: "GET",
      target: "/bucket//a%2Fb/../c%20d/?b=2&a=3&a=1&a=2&A=x%20y&empty&z=%C3%A9",
      headers: [("Host", "execute-api.eu-west-1.amazonaws.com")], payload: .empty, token: "TOK/+==",
      signature: "2a67ab5f34641498d497e869ebbe439aa9e1b4f4e8da3b8e2ddda1cf0abf4ba7"),
    Case(
      name: "an S3 path that must stay as it is", service: "s3", method: "GET",
      target: "/bucket//a%2Fb/../c%20d~x?versions&prefix=a%2Fb%20c&list-type=2",
      headers: [("Host", "s3.eu-west-1.amazonaws.com")], payload: .empty, token: "TOK/+==",
      signature: "377e57d05695431713f5b85569e95362a319f40a2d8595657e151ac78d8ce9bd"),
    Case(
      name: "an S3 upload", service: "s3", method: "PUT", target: "/bucket/k%2Bey%C3%A9",
      headers: [
        ("Host", "localhost:4566"), ("Content-MD5", "rL0Y20zC+Fzt72VPzMSk2A=="), ("x-amz-meta-a", "x"),
      ], payload: .bytes(Array("hello".utf8)),
      signature: "da3224730835bfcb0f2e43a28bac173a7971160b15070c41cde864c9e7c35814"),
    Case(
      name: "a presigned S3 download", service: "s3", method: "GET", target: "/bucket/a%20b//c?versionId=abc%2F1",
      headers: [("Host", "s3.eu-west-1.amazonaws.com")], payload: .unsigned, token: "TOK/+==", expires: 3600,
      signature: "0176b9a9049783fcf3a30a4be37105fe8e8378b207b97e22da648435f43dfdca"),
    Case(
      name: "a presigned STS call", service: "sts", method: "GET",
      target: "/?Action=GetCallerIdentity&Version=2011-06-15",
      headers: [("Host", "sts.eu-west-1.amazonaws.com"), ("x-k8s-aws-id", "cluster")], payload: .empty, expires: 60,
      signature: "8e86e0b9f2ff4c718210844b83abd9f3123234b21dd60438e40e7af1edf477d2"),
  ]

  /// A case signed by us, and the request as a server would get it.
  static func signed(_ c: Case) -> (SigV4.Signed, SigV4.Request) {
    let signer = SigV4.Signer(
      credentials: .init(accessKeyID: "AKIDEXAMPLE", secretAccessKey: secret, sessionToken: c.token),
      region: "eu-west-1", service: c.service)
    var request = SigV4.Request(method: c.method, target: c.target, headers: c.headers)
    let result =
      c.expires.map { signer.presign(request, payload: c.payload, expires: $0, at: time) }
      ?? signer.sign(request, payload: c.payload, at: time)
    request.query = result.query
    request.headers += result.headers
    return (result, request)
  }
}

@Suite("Signatures made elsewhere")
struct GoldenSignatureTests {
  @Test("the signer makes botocore's signature", arguments: Golden.cases)
  func signs(_ c: Golden.Case) { #expect(Golden.signed(c).0.signature == c.signature) }

  @Test("the verifier takes what the signer made", arguments: Golden.cases)
  func verifies(_ c: Golden.Case) throws {
    let (_, request) = Golden.signed(c)
    let parsed = try SigV4.ParsedAuthorization(request)
    #expect(parsed.accessKeyID == "AKIDEXAMPLE")
    #expect(parsed.sessionToken == c.token)
    #expect(parsed.signature == c.signature)
    #expect(parsed.isPresigned == (c.expires != nil))
    #expect(parsed.scope == SigV4.Scope(date: "20260307", region: "eu-west-1", service: c.service))
    let style: SigV4.ErrorStyle = c.service == "s3" ? .s3 : .json
    let verified = try SigV4.Verifier().verify(
      request, parsed, secretAccessKey: Golden.secret, style: style, now: Golden.time.adding(seconds: 30),
      payloadHash: style == .s3 ? nil : c.payload.hash, region: "eu-west-1", service: c.service)
    switch c.payload {
    case .unsigned: #expect(verified.body == .unsigned)
    default: #expect(verified.body == .exact(c.payload.hash))
    }
  }

  @Test("one changed byte anywhere breaks the signature", arguments: Golden.cases)
  func detectsChanges(_ c: Golden.Case) throws {
    let (_, good) = Golden.signed(c)
    let style: SigV4.ErrorStyle = c.service == "s3" ? .s3 : .json
    let verifier = SigV4.Verifier()
    func refused(_ change: (inout SigV4.Request) -> Void, secret: String = Golden.secret) throws -> Bool {
      var request = good
      change(&request)
      let parsed = try SigV4.ParsedAuthorization(request)
      do {
        _ = try verifier.verify(
          request, parsed, secretAccessKey: secret, style: style, now: Golden.time, payloadHash: c.payload.hash)
        return false
      } catch .mismatch { return true }
    }
    #expect(try refused { $0.method = "DELETE" })
    #expect(try refused { $0.path += "x" })
    #expect(try refused { $0.query += "&x=1" })
    #expect(try refused { $0.headers[0].value += "x" })
    #expect(try refused({ _ in }, secret: "another"))
  }

  @Test("the chain of chunk signatures is the one in AWS's documentation")
  func documentedChunks() {
    // Amazon S3 API Reference, "Transferring Payload in Multiple Chunks": 65,536 and 1,024 times the letter a.
    let scope = SigV4.Scope(date: "20130524", region: "us-east-1", service: "s3")
    let key = SigV4.SigningKey(secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", scope: scope)
    func chain(_ seed: String) -> ([String], SigV4.ChunkSigning) {
      var signing = SigV4.ChunkSigning(key: key, timestamp: "20130524T000000Z", seed: seed)
      let all = [65_536, 1024, 0].map {
        signing.sign(chunkHash: SigV4.payloadHash([UInt8](repeating: UInt8(ascii: "a"), count: $0)))
      }
      return (all, signing)
    }
    #expect(
      chain("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9").0 == [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
      ])
    var (all, signing) = chain("106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e")
    #expect(all.last == "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992")
    #expect(
      signing.sign(trailers: [("x-amz-checksum-crc32c", "sOO8/Q==")])
        == "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435")
  }
}
