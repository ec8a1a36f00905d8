// The response team's access, emergency contacts and proactive engagement. Nobody is called from here: what is set is
// kept and given back.

import AWSCore
import AWSWire
import ServiceKit
import ShieldModel
import Store

extension ShieldService {
  func associateDRTRole(
    _ input: Shield.AssociateDRTRoleRequest, _ call: CallContext
  ) async throws -> Shield.AssociateDRTRoleResponse {
    guard let arn = ARN(input.roleArn), arn.service == "iam", arn.resource.hasPrefix("role/") else {
      throw ShieldError.parameter("'\(input.roleArn)' is not the ARN of a role.")
    }
    try await change(call) { record in record.responseRole = input.roleArn }
    return .init()
  }

  func disassociateDRTRole(
    _ input: Shield.DisassociateDRTRoleRequest, _ call: CallContext
  ) async throws -> Shield.DisassociateDRTRoleResponse {
    try await change(call) { record in record.responseRole = nil }
    return .init()
  }

  func associateDRTLogBucket(
    _ input: Shield.AssociateDRTLogBucketRequest, _ call: CallContext
  ) async throws -> Shield.AssociateDRTLogBucketResponse {
    try await change(call) { record in
      guard record.responseRole != nil else { throw ShieldError.noRole }
      var buckets = record.logBuckets ?? []
      if buckets.contains(input.logBucket) { return }
      guard buckets.count < ShieldLimits.logBucketsMax else {
        throw ShieldError.limit("log buckets", ShieldLimits.logBucketsMax)
      }
      buckets.append(input.logBucket)
      record.logBuckets = buckets
    }
    return .init()
  }

  func disassociateDRTLogBucket(
    _ input: Shield.DisassociateDRTLogBucketRequest, _ call: CallContext
  ) async throws -> Shield.DisassociateDRTLogBucketResponse {
    try await change(call) { record in
      guard record.responseRole != nil else { throw ShieldError.noRole }
      guard record.logBuckets?.contains(input.logBucket) ?? false else {
        throw AWSError("ResourceNotFoundException", "The log bucket is not associated with the subscription.")
      }
      record.logBuckets?.removeAll { $0 == input.logBucket }
    }
    return .init()
  }

  func describeDRTAccess(
    _ input: Shield.DescribeDRTAccessRequest, _ call: CallContext
  ) async throws -> Shield.DescribeDRTAccessResponse {
    let record = try await store.read { try Self.subscription($0, call) }
    return .make {
      $0.roleArn = record.responseRole
      $0.logBucketList = record.logBuckets ?? []
    }
  }

  // MARK: - Contacts

  func associateProactiveEngagementDetails(
    _ input: Shield.AssociateProactiveEngagementDetailsRequest, _ call: CallContext
  ) async throws -> Shield.AssociateProactiveEngagementDetailsResponse {
    let contacts = try Self.contacts(input.emergencyContactList)
    guard !contacts.isEmpty else { throw ShieldError.parameter("At least one emergency contact is required.") }
    try await change(call) { record in
      guard record.proactiveEngagement == nil else {
        throw ShieldError.operation("Proactive engagement is set up already; update the contacts or its status.")
      }
      record.contacts = contacts
      record.proactiveEngagement = "ENABLED"
    }
    return .init()
  }

  func enableProactiveEngagement(
    _ input: Shield.EnableProactiveEngagementRequest, _ call: CallContext
  ) async throws -> Shield.EnableProactiveEngagementResponse {
    try await setProactiveEngagement("ENABLED", call)
    return .init()
  }

  func disableProactiveEngagement(
    _ input: Shield.DisableProactiveEngagementRequest, _ call: CallContext
  ) async throws -> Shield.DisableProactiveEngagementResponse {
    try await setProactiveEngagement("DISABLED", call)
    return .init()
  }

  private func setProactiveEngagement(_ status: String, _ call: CallContext) async throws {
    try await change(call) { record in
      guard record.proactiveEngagement != nil else {
        throw ShieldError.operation("Proactive engagement is not set up: associate its details first.")
      }
      record.proactiveEngagement = status
    }
  }

  func describeEmergencyContactSettings(
    _ input: Shield.DescribeEmergencyContactSettingsRequest, _ call: CallContext
  ) async throws -> Shield.DescribeEmergencyContactSettingsResponse {
    let record = try await store.read { try Self.subscription($0, call) }
    return .make {
      $0.emergencyContactList = (record.contacts ?? []).map { contact in
        .make {
          $0.emailAddress = contact.email
          $0.phoneNumber = contact.phone
          $0.contactNotes = contact.notes
        }
      }
    }
  }

  func updateEmergencyContactSettings(
    _ input: Shield.UpdateEmergencyContactSettingsRequest, _ call: CallContext
  ) async throws -> Shield.UpdateEmergencyContactSettingsResponse {
    let contacts = try Self.contacts(input.emergencyContactList ?? [])
    try await change(call) { record in
      if contacts.isEmpty, record.proactiveEngagement == "ENABLED" {
        throw ShieldError.parameter("Proactive engagement needs at least one emergency contact.")
      }
      record.contacts = contacts
    }
    return .init()
  }

  private static func contacts(_ list: [Shield.EmergencyContact]) throws -> [ContactRecord] {
    guard list.count <= ShieldLimits.emergencyContactsMax else {
      throw ShieldError.parameter("There can be at most \(ShieldLimits.emergencyContactsMax) emergency contacts.")
    }
    return list.map { ContactRecord(email: $0.emailAddress, phone: $0.phoneNumber, notes: $0.contactNotes) }
  }

  /// Changes the subscription.
  private func change(
    _ call: CallContext, _ body: @escaping @Sendable (inout SubscriptionRecord) throws -> Void
  ) async throws {
    try await store.write { tx in
      var record = try Self.subscription(tx, call)
      try body(&record)
      try tx.put(record, call.globalScope)
    }
  }
}
