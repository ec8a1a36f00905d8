// Listeners that want a token (jwt-validation): from the API's words and an issuer's key set to what clients see.

import ACMModel
import AWSCore
import AWSWire
import Certificates
import Crypto
import CryptoExtras
import ELBv2Model
import Foundation
import GateProtocol
import ServiceKit
import Testing

@testable import ELBv2Service

/// An issuer's key.
private struct IssuerKey: Sendable {
  let id: String
  private let key: _RSA.Signing.PrivateKey

  init(_ id: String) async throws {
    self.id = id
    let made = try await ELBProgram.run(["openssl", "genrsa", "2048"])
    key = try _RSA.Signing.PrivateKey(pemRepresentation: made.body)
  }

  private static func encoded(_ bytes: some DataProtocol) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }

  var webKey: String {
    get throws {
      let numbers = try key.publicKey.getKeyPrimitives()
      return """
        {"kty":"RSA","use":"sig","alg":"RS256","kid":"\(id)","n":"\(Self.encoded(numbers.modulus))",\
        "e":"\(Self.encoded(numbers.publicExponent))"}
        """
    }
  }

  /// - Parameter claims: besides issuer and expiry, or instead of them.
  func token(_ claims: [String: JSONValue] = [:], algorithm: String = "RS256", kid: String? = nil) throws -> String {
    var payload: [String: JSONValue] = [
      "iss": "https://issuer.test", "exp": .integer(Int(Date().timeIntervalSince1970) + 600), "aud": "shop",
      "roles": ["admin", "buyer"], "scope": "read write",
    ]
    payload.merge(claims) { $1 }
    payload = payload.filter { $0.value != .null }
    let head = Self.encoded(Data(#"{"alg":"\#(algorithm)","typ":"JWT","kid":"\#(kid ?? id)"}"#.utf8))
    let signed = "\(head).\(Self.encoded(try JSONEncoder().encode(payload)))"
    if algorithm == "none" { return signed + "." }
    if algorithm == "HS256" {
      // The old trick: the public key as the secret of a MAC.
      let secret = SymmetricKey(data: Data(key.publicKey.pemRepresentation.utf8))
      return "\(signed).\(Self.encoded(Data(HMAC<SHA256>.authenticationCode(for: Data(signed.utf8), using: secret))))"
    }
    let signature = try key.signature(for: SHA256.hash(data: Data(signed.utf8)), padding: .insecurePKCS1v1_5)
    return "\(signed).\(Self.encoded(signature.rawRepresentation))"
  }
}

@Suite("ELBv2 tokens", .timeLimit(.minutes(2)), .serialized)
struct ELBv2TokenTests {
  private func check(_ endpoint: String, claims: [(String, String, [String])] = []) -> ELBv2.Action {
    .make {
      $0.type = "jwt-validation"
      $0.order = 1
      $0.jwtValidationConfig = .make {
        $0.jwksEndpoint = endpoint
        $0.issuer = "https://issuer.test"
        if claims.isEmpty { return }
        $0.additionalClaims = claims.map { name, format, values in
          .make {
            $0.name = name
            $0.format = format
            $0.values = values
          }
        }
      }
    }
  }

  private func actions(_ check: ELBv2.Action) -> [ELBv2.Action] {
    var answer = ELBv2.Action.fixed("200", "welcome")
    answer.order = 2
    return [check, answer]
  }

  private struct Site: Sendable {
    var listener: String
    var address: String
    var port: Int
    var authority: String

    /// The status that a client gets.
    func status(_ token: String?, path: String = "/", scheme: String = "Bearer") async throws -> String {
      let header = token.map { ["-H", "Authorization: \(scheme) \($0)"] } ?? []
      return try await ELBProgram.run(
        [
          "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "20", "--cacert", authority,
          "--resolve",
          "shop.example:\(port):\(address)",
        ] + header + ["https://shop.example:\(port)\(path)"]
      ).body
    }
  }

  /// An HTTPS listener of these actions.
  private func site(
    _ elb: ELBv2Fixture, _ balancer: String, _ certificate: String, port: Int = 443, _ actions: [ELBv2.Action]
  ) async throws -> Site {
    let made = try await elb.run(ELBv2.createListener) {
      $0.loadBalancerArn = balancer
      $0.port = port
      $0.protocol = "HTTPS"
      $0.certificates = [.make { $0.certificateArn = certificate }]
      $0.defaultActions = actions
    }
    let arn = try #require(made.listeners?.first?.listenerArn)
    let record = try await elb.service.store.read { try $0.list(ListenerRecord.self).first { $0.1.arn == arn }?.1 }
    let bound = try #require(record?.bound)
    return Site(
      listener: arn, address: try #require(bound.address), port: try #require(bound.port), authority: elb.authorityPath)
  }

  @Test("a good token passes; without one, or with a bad one, a client gets 401")
  func tokens() async throws {
    let key = try await IssuerKey("one")
    let other = try await IssuerKey("one")
    let issuer = try ELBServer("issuer")
    issuer.answer("/keys", #"{"keys":[\#(try key.webKey)]}"#)
    try await ELBv2Fixture.withGate { elb in
      let balancer = try await elb.loadBalancer("shop")
      let site = try await site(
        elb, balancer, try await elb.certificate("shop.example"),
        actions(
          check(
            "http://127.0.0.1:\(issuer.port)/keys",
            claims: [
              ("aud", "single-string", ["shop"]), ("roles", "string-array", ["buyer"]),
              ("scope", "space-separated-values", ["write", "read"]),
            ])))
      #expect(issuer.paths == ["/keys"])
      #expect(try await site.status(try key.token()) == "200")
      #expect(try await site.status(try key.token(["nbf": 1, "iat": 1])) == "200")
      #expect(try await site.status(nil) == "401")
      #expect(try await site.status("a.b.c") == "401")
      #expect(try await site.status(try key.token(), scheme: "Basic") == "401")
      for (what, claims) in [
        ("expired", ["exp": .integer(1_000_000_000)]), ("without expiry", ["exp": .null]),
        ("of another issuer", ["iss": "https://other.test"]), ("without issuer", ["iss": .null]),
        ("not yet valid", ["nbf": .integer(4_000_000_000)]), ("from the future", ["iat": .integer(4_000_000_000)]),
        ("for others", ["aud": "warehouse"]), ("aud as an array", ["aud": ["shop"]]),
        ("without the role", ["roles": ["admin"]]), ("roles as a text", ["roles": "buyer"]),
        ("without a scope", ["scope": "read"]), ("without scopes", ["scope": .null]),
      ] as [(String, [String: JSONValue])] {
        #expect(try await site.status(try key.token(claims)) == "401", "\(what)")
      }
      #expect(try await site.status(try other.token()) == "401", "another key under the same name")
      #expect(try await site.status(try key.token(algorithm: "none")) == "401")
      #expect(try await site.status(try key.token(algorithm: "HS256")) == "401")
      // All that in one key set, fetched once.
      #expect(issuer.paths == ["/keys"])
    }
  }

  @Test("keys are fetched again when a token names a new one; what was good stays while the issuer is away")
  func rotation() async throws {
    let old = try await IssuerKey("old")
    let new = try await IssuerKey("new")
    let issuer = try ELBServer("issuer")
    issuer.answer("/keys", #"{"keys":[\#(try old.webKey)]}"#)
    try await ELBv2Fixture.withGate(keySets: .init(spacing: 0.05, limit: 2)) { elb in
      let balancer = try await elb.loadBalancer("shop")
      let site = try await site(
        elb, balancer, try await elb.certificate("shop.example"),
        actions(check("http://127.0.0.1:\(issuer.port)/keys")))
      #expect(try await site.status(try old.token()) == "200")
      #expect(try await site.status(try new.token()) == "401")
      issuer.answer("/keys", #"{"keys":[\#(try old.webKey),\#(try new.webKey)]}"#)
      try await elb.until("the new key is known") { try await site.status(try new.token()) == "200" }
      #expect(try await site.status(try old.token()) == "200")
      // A key set that is none, and then no issuer at all.
      let many = Array(repeating: try old.webKey, count: 11).joined(separator: ",")
      for broken in ["{}", #"{"keys":[\#(many)]}"#, String(repeating: " ", count: 200_000), nil] {
        issuer.answer("/keys", broken)
        let before = issuer.paths.count
        try await elb.until("it is asked again") {
          let unknown = try await site.status(try new.token(kid: "unknown"))
          return unknown == "401" && issuer.paths.count > before
        }
        #expect(try await site.status(try new.token()) == "200")
      }
      issuer.stop()
      #expect(try await site.status(try new.token(kid: "unknown")) == "401")
      #expect(try await site.status(try new.token()) == "200")
      // A rule with the same endpoint has the keys at once, though nobody answers there.
      _ = try await elb.run(ELBv2.createRule) {
        $0.listenerArn = site.listener
        $0.priority = 1
        $0.conditions = [.path("/rule")]
        $0.actions = actions(check("http://127.0.0.1:\(issuer.port)/keys", claims: [("aud", "single-string", ["x"])]))
      }
      #expect(try await site.status(try new.token(), path: "/rule") == "401")
      #expect(try await site.status(try new.token(["aud": "x"]), path: "/rule") == "200")
      let kept = try await elb.service.store.read { try $0.list(KeySetRecord.self).map(\.1.endpoint) }
      #expect(kept == ["http://127.0.0.1:\(issuer.port)/keys"])
      _ = try await elb.run(ELBv2.deleteListener) { $0.listenerArn = site.listener }
      try await elb.until("keys that nobody names are forgotten") {
        try await elb.service.store.read { try $0.list(KeySetRecord.self).isEmpty }
      }
    }
  }

  @Test("key sets are fetched over HTTPS from who has a trusted certificate; without keys clients get 562")
  func secure() async throws {
    let key = try await IssuerKey("one")
    try await ELBv2Fixture.withGate(keySets: .init(retry: 0.05, spacing: 0.05, limit: 2)) { elb in
      let issuers = try await elb.loadBalancer("issuers")
      let certificate = try await elb.certificate("shop.example")
      let page = ELBv2.Action.make {
        $0.type = "fixed-response"
        $0.fixedResponseConfig = .make {
          $0.statusCode = "200"
          $0.contentType = "application/json"
          $0.messageBody = try? #"{"keys":[\#(key.webKey)]}"#
        }
      }
      let issuer = try await site(elb, issuers, certificate, [page])
      let endpoint = "https://\(issuer.address):\(issuer.port)/keys"
      let site = try await site(elb, try await elb.loadBalancer("shop"), certificate, actions(check(endpoint)))
      // The issuer's certificate is for another name; the listener was made all the same.
      #expect(try await site.status(try key.token()) == "562")
      // Of a stranger's authority.
      let strangers = CertificateAuthority(directory: elb.harness.directory + "/stranger")
      #expect(try await setCertificate(elb, issuer, strangers))
      #expect(try await site.status(try key.token()) == "562")
      #expect(
        try await setCertificate(elb, issuer, CertificateAuthority(directory: elb.harness.directory + "/tls")))
      try await elb.until("the keys are there") { try await site.status(try key.token()) == "200" }
    }
  }

  /// Gives an issuer a certificate for its address.
  private func setCertificate(_ elb: ELBv2Fixture, _ site: Site, _ authority: CertificateAuthority) async throws -> Bool
  {
    let key = try await CertificateKey.make(.p256)
    let bytes = site.address.split(separator: ".").compactMap { UInt8($0) }
    let issued = try authority.issue(
      .init(subject: "issuer", names: ["issuer.test"], addresses: [bytes], days: 30), key: key, now: SystemClock().now)
    let arn = try await elb.run(ACM.importCertificate) {
      $0.certificate = Blob(Array(issued.certificate.utf8))
      $0.privateKey = Blob(Array(key.pem.utf8))
      $0.certificateChain = Blob(Array(issued.chain.utf8))
    }.certificateArn
    return try await elb.failure(ELBv2.modifyListener) {
      $0.listenerArn = site.listener
      $0.certificates = [.make { $0.certificateArn = arn }]
    } == ""
  }

  @Test("what AWS does not take is refused, and what it takes is described")
  func api() async throws {
    try await ELBv2Fixture.alone { elb in
      let balancer = try await elb.loadBalancer("shop")
      let certificate = try await elb.certificate("shop.example")
      func create(_ action: ELBv2.Action, on name: String = "HTTPS") async throws -> String {
        try await elb.failure(ELBv2.createListener) {
          $0.loadBalancerArn = balancer
          $0.port = 443
          $0.protocol = name
          if name == "HTTPS" { $0.certificates = [.make { $0.certificateArn = certificate }] }
          $0.defaultActions = actions(action)
        }
      }
      // Nobody listens on port 1: the endpoint is taken as it is.
      let endpoint = "http://127.0.0.1:1/keys"
      for (action, code) in [
        (check("ftp://issuer.test/keys"), "ValidationError"), (check("http://issuer.test/keys"), "ValidationError"),
        (check("https://issuer.test/" + String(repeating: "k", count: 250)), "ValidationError"),
        (check(endpoint, claims: [("exp", "single-string", ["1"])]), "ValidationError"),
        (check(endpoint, claims: [("a", "number", ["1"])]), "ValidationError"),
        (check(endpoint, claims: [("a", "single-string", ["1", "2"])]), "ValidationError"),
        (check(endpoint, claims: [("a", "space-separated-values", ["1 2"])]), "ValidationError"),
        (check(endpoint, claims: [("a", "string-array", [])]), "ValidationError"),
        (check(endpoint, claims: [("a", "string-array", (0..<11).map { "\($0)" })]), "ValidationError"),
        (
          check(endpoint, claims: (0..<11).map { ("c\($0)", "single-string", ["1"]) }),
          "ValidationError"
        ),
      ] {
        let failure = try await create(action)
        #expect(failure.hasPrefix(code), "\(failure) of \(action)")
      }
      #expect(try await create(check(endpoint), on: "HTTP").hasPrefix("InvalidLoadBalancerAction"))
      #expect(try await create(check(endpoint, claims: [("roles", "string-array", ["a", "b"])])) == "")
      let listener = try await elb.run(ELBv2.describeListeners) { $0.loadBalancerArn = balancer }.listeners?.first
      let config = listener?.defaultActions?.first?.jwtValidationConfig
      #expect(config?.jwksEndpoint == endpoint && config?.issuer == "https://issuer.test")
      #expect(config?.additionalClaims?.first?.values == ["a", "b"])
    }
  }
}
