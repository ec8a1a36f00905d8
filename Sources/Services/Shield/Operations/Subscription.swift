// CreateSubscription, DescribeSubscription, GetSubscriptionState.

import AWSCore
import AWSWire
import ServiceKit
import ShieldModel
import Store

extension ShieldService {
  /// AWS's commitment: one year.
  private static let commitmentSeconds = 31_536_000

  func createSubscription(
    _ input: Shield.CreateSubscriptionRequest, _ call: CallContext
  ) async throws -> Shield.CreateSubscriptionResponse {
    try await store.write { tx in
      guard try tx.get(SubscriptionRecord.self, call.globalScope, "subscription") == nil else {
        throw AWSError("ResourceAlreadyExistsException", "The subscription already exists.")
      }
      try tx.put(SubscriptionRecord(started: call.now), call.globalScope)
    }
    return .init()
  }

  func getSubscriptionState(
    _ input: Shield.GetSubscriptionStateRequest, _ call: CallContext
  ) async throws -> Shield.GetSubscriptionStateResponse {
    let record = try await store.get(SubscriptionRecord.self, call.globalScope, "subscription")
    return .make { $0.subscriptionState = record == nil ? "INACTIVE" : "ACTIVE" }
  }

  func describeSubscription(
    _ input: Shield.DescribeSubscriptionRequest, _ call: CallContext
  ) async throws -> Shield.DescribeSubscriptionResponse {
    guard let record = try await store.get(SubscriptionRecord.self, call.globalScope, "subscription") else {
      throw ShieldError.noSubscription
    }
    let types = [
      "ELASTIC_IP_ALLOCATION", "CLASSIC_LOAD_BALANCER", "APPLICATION_LOAD_BALANCER", "CLOUDFRONT_DISTRIBUTION",
      "ROUTE_53_HOSTED_ZONE", "GLOBAL_ACCELERATOR",
    ]
    let limits: [Shield.Limit] = types.map { type in
      .make {
        $0.type = type
        $0.max = Self.protectionsPerTypeMax
      }
    }
    return .make {
      $0.subscription = .make {
        $0.subscriptionArn = "arn:aws:shield::\(call.account):subscription"
        $0.startTime = record.started
        $0.endTime = record.started.adding(seconds: Double(Self.commitmentSeconds))
        $0.timeCommitmentInSeconds = Self.commitmentSeconds
        $0.autoRenew = "ENABLED"
        $0.limits = limits
        $0.subscriptionLimits = .make {
          $0.protectionLimits = .make { $0.protectedResourceTypeLimits = limits }
          $0.protectionGroupLimits = .make {
            $0.maxProtectionGroups = 100
            $0.patternTypeLimits = .make { $0.arbitraryPatternLimits = .make { $0.maxMembers = 1000 } }
          }
        }
      }
    }
  }
}
