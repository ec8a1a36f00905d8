// DescribeSSLPolicies and DescribeAccountLimits: AWS's own lists.

import AWSCore
import AWSWire
import ELBv2Model
import GateProtocol
import ServiceKit

extension ELBv2Service {
  func describeSSLPolicies(
    _ input: ELBv2.DescribeSSLPoliciesInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeSSLPoliciesOutput {
    let names = input.names ?? []
    for name in names where !SecurityPolicies.contains(name) { throw ELBv2Error.policyNotFound(name) }
    let kept = TLSSecurityPolicy.all.filter { names.isEmpty || names.contains($0.name) }
    let page = try Page(kept, size: input.pageSize, marker: input.marker, id: \.name)
    return .make {
      $0.sslPolicies = page.items.map { policy in
        .make {
          $0.name = policy.name
          $0.sslProtocols = policy.versions.map(\.rawValue)
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
