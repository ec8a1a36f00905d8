// CreateSubscription, DescribeSubscription, UpdateSubscription, DeleteSubscription, GetSubscriptionState.

import AWSCore
import AWSWire
import ServiceKit
import ShieldModel
import Store

extension ShieldService {
  func createSubscription(
    _ input: Shield.CreateSubscriptionRequest, _ call: CallContext
  ) async throws -> Shield.CreateSubscriptionResponse {
    try await store.write { tx in
      guard try tx.get(SubscriptionRecord.self, call.globalScope, "subscription") == nil else {
        throw ShieldError.exists("subscription")
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

  func updateSubscription(
    _ input: Shield.UpdateSubscriptionRequest, _ call: CallContext
  ) async throws -> Shield.UpdateSubscriptionResponse {
    try await store.write { tx in
      var record = try Self.subscription(tx, call)
      guard let renews = input.autoRenew else { return }
      let end = record.end(at: call.now)
      if (renews == "ENABLED") != (record.renews ?? true),
        call.now < end.adding(seconds: -Double(ShieldLimits.renewalWindowSeconds))
      {
        throw ShieldError.locked("AutoRenew can be changed during the last 30 days of the subscription only.")
      }
      record.renews = renews == "ENABLED"
      try tx.put(record, call.globalScope)
    }
    return .init()
  }

  func deleteSubscription(
    _ input: Shield.DeleteSubscriptionRequest, _ call: CallContext
  ) async throws -> Shield.DeleteSubscriptionResponse {
    try await store.write { tx in
      let record = try Self.subscription(tx, call)
      guard call.now >= record.end(at: call.now) else {
        throw ShieldError.locked("The subscription's commitment of one year is not completed.")
      }
      _ = try tx.delete(SubscriptionRecord.self, call.globalScope, "subscription")
    }
    return .init()
  }

  func describeSubscription(
    _ input: Shield.DescribeSubscriptionRequest, _ call: CallContext
  ) async throws -> Shield.DescribeSubscriptionResponse {
    let record = try await store.read { try Self.subscription($0, call) }
    let limits: [Shield.Limit] = Self.resourceTypes.map { type in
      .make {
        $0.type = type
        $0.max = ShieldLimits.protectionsPerTypeMax
      }
    }
    return .make {
      $0.subscription = .make {
        $0.subscriptionArn = "arn:aws:shield::\(call.account):subscription"
        $0.startTime = record.started
        $0.endTime = record.end(at: call.now)
        $0.timeCommitmentInSeconds = ShieldLimits.commitmentSeconds
        $0.autoRenew = record.renews ?? true ? "ENABLED" : "DISABLED"
        $0.proactiveEngagementStatus = record.proactiveEngagement
        $0.limits = limits
        $0.subscriptionLimits = .make {
          $0.protectionLimits = .make { $0.protectedResourceTypeLimits = limits }
          $0.protectionGroupLimits = .make {
            $0.maxProtectionGroups = ShieldLimits.protectionGroupsMax
            $0.patternTypeLimits = .make {
              $0.arbitraryPatternLimits = .make { $0.maxMembers = ShieldLimits.groupMembersMax }
            }
          }
        }
      }
    }
  }
}
