// DescribeSSLPolicies and DescribeAccountLimits: AWS's own lists.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit

extension ELBv2Service {
  private struct Policy {
    var name: String
    var protocols: [String]
    var ciphers: [String]
  }

  private static let tls13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
  private static let forwardSecret = [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384",
  ]
  private static let restricted = forwardSecret.filter { $0.contains("GCM") }
  private static let plain = ["AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384", "AES256-SHA256"]
  private static let old = [
    "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES256-SHA", "AES128-SHA",
    "AES256-SHA",
  ]

  private static let policies = [
    Policy(
      name: "ELBSecurityPolicy-2016-08", protocols: ["TLSv1", "TLSv1.1", "TLSv1.2"],
      ciphers: forwardSecret + plain + old),
    Policy(name: "ELBSecurityPolicy-TLS-1-2-2017-01", protocols: ["TLSv1.2"], ciphers: forwardSecret + plain),
    Policy(name: "ELBSecurityPolicy-FS-1-2-Res-2020-10", protocols: ["TLSv1.2"], ciphers: restricted),
    Policy(
      name: "ELBSecurityPolicy-TLS13-1-2-2021-06", protocols: ["TLSv1.2", "TLSv1.3"], ciphers: tls13 + forwardSecret),
    Policy(
      name: "ELBSecurityPolicy-TLS13-1-2-Res-2021-06", protocols: ["TLSv1.2", "TLSv1.3"], ciphers: tls13 + restricted),
    Policy(name: "ELBSecurityPolicy-TLS13-1-3-2021-06", protocols: ["TLSv1.3"], ciphers: tls13),
  ]

  func describeSSLPolicies(
    _ input: ELBv2.DescribeSSLPoliciesInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeSSLPoliciesOutput {
    let names = input.names ?? []
    for name in names where !Self.policies.contains(where: { $0.name == name }) {
      throw AWSError("SSLPolicyNotFound", "SSL policy '\(name)' not found")
    }
    let kept = Self.policies.filter { names.isEmpty || names.contains($0.name) }
    let page = try Page(kept, size: input.pageSize, marker: input.marker, id: \.name)
    return .make {
      $0.sslPolicies = page.items.map { policy in
        .make {
          $0.name = policy.name
          $0.sslProtocols = policy.protocols
          $0.supportedLoadBalancerTypes = ["application", "network"]
          $0.ciphers = policy.ciphers.enumerated().map { index, cipher in
            .make {
              $0.name = cipher
              $0.priority = index + 1
            }
          }
        }
      }
      $0.nextMarker = page.next
    }
  }

  func describeAccountLimits(
    _ input: ELBv2.DescribeAccountLimitsInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeAccountLimitsOutput {
    let page = try Page(ELBv2Limits.named, size: input.pageSize, marker: input.marker, id: \.name)
    return .make {
      $0.limits = page.items.map { limit in
        .make {
          $0.name = limit.name
          $0.max = "\(limit.max)"
        }
      }
      $0.nextMarker = page.next
    }
  }
}
