// HTTPS listeners: certificates, security policies, mutual authentication.

import ACMModel
import AWSCore
import AWSWire
import ELBv2Model
import GateProtocol
import ServiceKit
import Testing

@testable import ELBv2Service

@Suite("ELBv2 HTTPS listeners", .timeLimit(.minutes(1)))
struct ELBv2ListenerTests {
  /// The certificates of a listener, the default one with a star.
  private func certificates(_ elb: ELBv2Fixture, of listener: String) async throws -> [String] {
    let all = try await elb.run(ELBv2.describeListenerCertificates) { $0.listenerArn = listener }.certificates
    return (all ?? []).map { "\($0.isDefault == true ? "*" : "")\($0.certificateArn ?? "")" }
  }

  private func https(
    _ elb: ELBv2Fixture, _ balancer: String, _ certificate: String, port: Int = 443,
    _ configure: (inout ELBv2.CreateListenerInput) -> Void = { _ in }
  ) async throws -> ELBv2.Listener {
    let made = try await elb.run(ELBv2.createListener) {
      $0.loadBalancerArn = balancer
      $0.port = port
      $0.protocol = "HTTPS"
      $0.certificates = [.make { $0.certificateArn = certificate }]
      $0.defaultActions = [.fixed("200", "hello")]
      configure(&$0)
    }
    return try #require(made.listeners?.first)
  }

  @Test("an HTTPS listener has AWS's defaults, and its key reaches the Gate and nobody else")
  func makes() async throws {
    try await ELBv2Fixture.alone { elb in
      let balancer = try await elb.loadBalancer("shop")
      let certificate = try await elb.certificate("shop.example")
      let made = try await https(elb, balancer, certificate)
      #expect(made.protocol == "HTTPS" && made.sslPolicy == "ELBSecurityPolicy-2016-08")
      #expect(made.certificates?.map(\.certificateArn) == [certificate])
      #expect(made.mutualAuthentication?.mode == "off")
      let used = try await elb.run(ACM.describeCertificate) { $0.certificateArn = certificate }.certificate
      #expect(used?.inUseBy == [balancer] && used?.renewalEligibility == "ELIGIBLE")
      #expect(
        try await elb.failure(ACM.deleteCertificate) { $0.certificateArn = certificate }
          .hasPrefix("ResourceInUseException"))
      let keyed = try #require(try await elb.service.keyedCertificate(certificate))
      #expect(keyed.privateKey.hasPrefix("-----BEGIN PRIVATE KEY-----"))
      let state = try await elb.service.store.read { snapshot in
        DesiredState(
          loadBalancers: try snapshot.list(LoadBalancerRecord.self).map(\.1),
          listeners: try snapshot.list(ListenerRecord.self).map(\.1), certificates: [certificate: keyed])
      }
      let part = state.gatePart(PortPlan(privilegedBelow: 0))
      #expect(part.certificates.map(\.id) == [certificate])
      let listener = try #require(part.loadBalancers.first?.listeners.first)
      #expect(listener.transport == .https && listener.tls?.certificates == [certificate])
    }
  }

  @Test("what an HTTPS listener may not be is refused in AWS's words")
  func refuses() async throws {
    try await ELBv2Fixture.alone { elb in
      let balancer = try await elb.loadBalancer("shop")
      let certificate = try await elb.certificate("shop.example")
      let stranger = "arn:aws:acm:us-east-1:000000000000:certificate/00000000-0000-0000-0000-000000000000"
      let table: [(String, @Sendable (inout ELBv2.CreateListenerInput) -> Void)] = [
        (
          "CertificateNotFound: Certificate '\(stranger)' not found",
          { $0.certificates = [.make { $0.certificateArn = stranger }] }
        ),
        ("ValidationError: A certificate must be specified", { $0.certificates = nil }),
        (
          "TooManyCertificates",
          { $0.certificates = [.make { $0.certificateArn = certificate }, .make { $0.certificateArn = certificate }] }
        ),
        ("SSLPolicyNotFound: SSL policy 'none' not found", { $0.sslPolicy = "none" }),
        ("UnsupportedProtocol: Protocol 'TLS' is not supported on Application", { $0.protocol = "TLS" }),
        ("ValidationError: Certificates cannot be specified for HTTP", { $0.protocol = "HTTP" }),
        ("ValidationError: ALPN policies are only supported on TLS", { $0.alpnPolicy = ["HTTP2Only"] }),
        ("ValidationError: A trust store ARN must be", { $0.mutualAuthentication = .make { $0.mode = "verify" } }),
        (
          "TrustStoreNotFound",
          {
            $0.mutualAuthentication = .make {
              $0.mode = "verify"
              $0.trustStoreArn = "arn:aws:elasticloadbalancing:us-east-1:000000000000:truststore/none/0123456789abcdef"
            }
          }
        ),
      ]
      for (expected, change) in table {
        let failure = try await elb.failure(ELBv2.createListener) {
          $0.loadBalancerArn = balancer
          $0.port = 443
          $0.protocol = "HTTPS"
          $0.certificates = [.make { $0.certificateArn = certificate }]
          $0.defaultActions = [.fixed("200")]
          change(&$0)
        }
        #expect(failure.hasPrefix(expected), "\(failure)")
      }
    }
  }

  @Test("certificates are added and removed, never the default one, and a new default keeps the others")
  func certificates() async throws {
    try await ELBv2Fixture.alone { elb in
      let balancer = try await elb.loadBalancer("shop")
      let first = try await elb.certificate("one.example")
      let second = try await elb.certificate("two.example")
      let third = try await elb.certificate("three.example")
      let listener = try #require(try await https(elb, balancer, first).listenerArn)
      let added = try await elb.run(ELBv2.addListenerCertificates) {
        $0.listenerArn = listener
        $0.certificates = [.make { $0.certificateArn = second }]
      }
      #expect(added.certificates?.map(\.certificateArn) == [second])
      #expect(try await certificates(elb, of: listener) == ["*\(first)", second])
      #expect(
        try await elb.failure(ELBv2.removeListenerCertificates) {
          $0.listenerArn = listener
          $0.certificates = [.make { $0.certificateArn = first }]
        }.hasPrefix("OperationNotPermitted"))
      let changed = try await elb.run(ELBv2.modifyListener) {
        $0.listenerArn = listener
        $0.certificates = [.make { $0.certificateArn = third }]
        $0.sslPolicy = "ELBSecurityPolicy-TLS13-1-2-2021-06"
      }
      #expect(changed.listeners?.first?.sslPolicy == "ELBSecurityPolicy-TLS13-1-2-2021-06")
      #expect(try await certificates(elb, of: listener) == ["*\(third)", second])
      _ = try await elb.run(ELBv2.removeListenerCertificates) {
        $0.listenerArn = listener
        $0.certificates = [.make { $0.certificateArn = second }]
      }
      #expect(try await certificates(elb, of: listener) == ["*\(third)"])
      // As HTTP it has none; as HTTPS again it needs one.
      let plain = try await elb.run(ELBv2.modifyListener) {
        $0.listenerArn = listener
        $0.protocol = "HTTP"
      }
      #expect(plain.listeners?.first?.certificates == nil && plain.listeners?.first?.sslPolicy == nil)
      #expect(
        try await elb.failure(ELBv2.modifyListener) {
          $0.listenerArn = listener
          $0.protocol = "HTTPS"
        }.hasPrefix("ValidationError: A certificate must be specified"))
    }
  }

  @Test("security policies have AWS's names, versions and ciphers")
  func policies() async throws {
    try await ELBv2Fixture.alone { elb in
      let all = try await elb.run(ELBv2.describeSSLPolicies).sslPolicies ?? []
      #expect(all.count > 25)
      let one = try await elb.run(ELBv2.describeSSLPolicies) { $0.names = ["ELBSecurityPolicy-TLS13-1-3-2021-06"] }
      #expect(one.sslPolicies?.first?.sslProtocols == ["TLSv1.3"])
      #expect(one.sslPolicies?.first?.ciphers?.map(\.priority) == [1, 2, 3])
    }
  }
}
