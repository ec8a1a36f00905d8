// EnableKey, DisableKey, ScheduleKeyDeletion, CancelKeyDeletion.

import AWSCore
import AWSWire
import KMSModel
import ServiceKit

extension KMSService {
  func enableKey(_ input: KMS.EnableKeyRequest, _ call: CallContext) async throws -> Empty {
    try await change(input.keyId, call) { key, _ in
      try key.requireNotPendingDeletion()
      try key.requireCustomerManaged("EnableKey")
      key.state = .enabled
    }
    return Empty()
  }

  func disableKey(_ input: KMS.DisableKeyRequest, _ call: CallContext) async throws -> Empty {
    let materials = try await change(input.keyId, call) { key, _ in
      try key.requireNotPendingDeletion()
      try key.requireCustomerManaged("DisableKey")
      key.state = .disabled
      return key.materials
    }
    cache.drop(materials)
    return Empty()
  }

  func scheduleKeyDeletion(
    _ input: KMS.ScheduleKeyDeletionRequest, _ call: CallContext
  ) async throws -> KMS.ScheduleKeyDeletionResponse {
    let days = input.pendingWindowInDays ?? KMSLimits.deletionWindowDaysDefault
    guard KMSLimits.deletionWindowDays.contains(days) else {
      throw KMSError.validation("PendingWindowInDays must be between 7 and 30 days (inclusive).")
    }
    let key = try await change(input.keyId, call) { key, _ in
      try key.requireNotPendingDeletion()
      try key.requireCustomerManaged("ScheduleKeyDeletion")
      key.state = .pendingDeletion
      key.deletionDate = call.now.adding(days: days)
      return key
    }
    cache.drop(key.materials)
    return .make {
      $0.keyId = key.arn
      $0.deletionDate = key.deletionDate
      $0.keyState = key.state.rawValue
      $0.pendingWindowInDays = days
    }
  }

  func cancelKeyDeletion(
    _ input: KMS.CancelKeyDeletionRequest, _ call: CallContext
  ) async throws -> KMS.CancelKeyDeletionResponse {
    let arn = try await change(input.keyId, call) { key, _ in
      guard key.state == .pendingDeletion else {
        throw KMSError.invalidState("\(key.arn) is not pending deletion.")
      }
      // As on AWS, the key comes back disabled.
      key.state = .disabled
      key.deletionDate = nil
      return key.arn
    }
    return .make { $0.keyId = arn }
  }
}
