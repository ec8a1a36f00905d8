// AWS::Shield::DRTAccess and AWS::Shield::ProactiveEngagement for CloudFormation. An account has one of each.

import AWSCore
import AWSWire
import ServiceKit
import ShieldModel

extension ShieldService {
  /// Ref and AccountId are the account's id.
  var responseTeamAccessProvider: ResourceProvider {
    ResourceProvider(
      "AWS::Shield::DRTAccess", properties: ["LogBucketList", "RoleArn"],
      create: { properties, context in
        try await Self.grant(.object([:]), properties, context)
        return Self.account(context)
      },
      update: { handle, old, new, context in
        try await Self.grant(old, new, context)
        return handle
      },
      delete: { _, properties, context in
        try await Self.unlessGone {
          for bucket in (properties["LogBucketList"]?.array ?? []).compactMap(\.text) {
            _ = try await context.call.invoke(Shield.disassociateDRTLogBucket, .make { $0.logBucket = bucket })
          }
          _ = try await context.call.invoke(Shield.disassociateDRTRole, .init())
        }
      })
  }

  private static func grant(_ old: JSONValue, _ new: JSONValue, _ context: ResourceContext) async throws {
    if old["RoleArn"] != new["RoleArn"] {
      _ = try await context.call.invoke(Shield.associateDRTRole, .make { $0.roleArn = new["RoleArn"]?.text ?? "" })
    }
    let before = (old["LogBucketList"]?.array ?? []).compactMap(\.text)
    let after = (new["LogBucketList"]?.array ?? []).compactMap(\.text)
    for bucket in before where !after.contains(bucket) {
      _ = try await context.call.invoke(Shield.disassociateDRTLogBucket, .make { $0.logBucket = bucket })
    }
    for bucket in after where !before.contains(bucket) {
      _ = try await context.call.invoke(Shield.associateDRTLogBucket, .make { $0.logBucket = bucket })
    }
  }

  private static func account(_ context: ResourceContext) -> ResourceHandle {
    ResourceHandle(context.call.account, attributes: ["AccountId": .string(context.call.account)])
  }

  /// Ref and AccountId are the account's id.
  var proactiveEngagementProvider: ResourceProvider {
    ResourceProvider(
      "AWS::Shield::ProactiveEngagement", properties: ["EmergencyContactList", "ProactiveEngagementStatus"],
      create: { properties, context in
        let subscription = try await context.call.invoke(Shield.describeSubscription, .init()).subscription
        if subscription?.proactiveEngagementStatus == nil {
          _ = try await context.call.invoke(
            Shield.associateProactiveEngagementDetails,
            .make { $0.emergencyContactList = Self.contacts(properties) })
          try await Self.setEngagement(properties, context)
        } else {
          try await Self.engage(properties, context)
        }
        return Self.account(context)
      },
      update: { handle, _, new, context in
        try await Self.engage(new, context)
        return handle
      },
      delete: { _, _, context in
        try await Self.unlessGone {
          _ = try await context.call.invoke(Shield.disableProactiveEngagement, .init())
          _ = try await context.call.invoke(Shield.updateEmergencyContactSettings, .init())
        }
      })
  }

  private static func engage(_ properties: JSONValue, _ context: ResourceContext) async throws {
    _ = try await context.call.invoke(
      Shield.updateEmergencyContactSettings, .make { $0.emergencyContactList = contacts(properties) })
    try await setEngagement(properties, context)
  }

  private static func setEngagement(_ properties: JSONValue, _ context: ResourceContext) async throws {
    if properties["ProactiveEngagementStatus"]?.text == "DISABLED" {
      _ = try await context.call.invoke(Shield.disableProactiveEngagement, .init())
    } else {
      _ = try await context.call.invoke(Shield.enableProactiveEngagement, .init())
    }
  }

  private static func contacts(_ properties: JSONValue) -> [Shield.EmergencyContact] {
    (properties["EmergencyContactList"]?.array ?? []).map { contact in
      .make {
        $0.emailAddress = contact["EmailAddress"]?.text ?? ""
        $0.phoneNumber = contact["PhoneNumber"]?.text
        $0.contactNotes = contact["ContactNotes"]?.text
      }
    }
  }
}
