// EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus, ListKeyRotations, RotateKeyOnDemand.

import AWSCore
import AWSWire
import KMSModel
import ServiceKit

extension KMSService {
  func enableKeyRotation(_ input: KMS.EnableKeyRotationRequest, _ call: CallContext) async throws -> Empty {
    if let days = input.rotationPeriodInDays, !KMSLimits.rotationPeriodDays.contains(days) {
      throw KMSError.validation("RotationPeriodInDays must be between 90 and 2560 days (inclusive).")
    }
    try await change(input.keyId, call) { key, _ in
      try key.requireRotatable("EnableKeyRotation")
      let days = input.rotationPeriodInDays ?? key.rotationPeriodInDays ?? KMSLimits.rotationPeriodDaysDefault
      if !key.rotationEnabled || days != key.rotationPeriodInDays { key.nextRotation = call.now.adding(days: days) }
      key.rotationEnabled = true
      key.rotationPeriodInDays = days
    }
    return Empty()
  }

  func disableKeyRotation(_ input: KMS.DisableKeyRotationRequest, _ call: CallContext) async throws -> Empty {
    try await change(input.keyId, call) { key, _ in
      try key.requireRotatable("DisableKeyRotation")
      key.rotationEnabled = false
      key.nextRotation = nil
    }
    return Empty()
  }

  func getKeyRotationStatus(
    _ input: KMS.GetKeyRotationStatusRequest, _ call: CallContext
  ) async throws -> KMS.GetKeyRotationStatusResponse {
    let key = try await key(input.keyId, call)
    return .make {
      $0.keyId = key.arn
      $0.keyRotationEnabled = key.rotationEnabled && key.state != .pendingDeletion
      if key.rotationEnabled {
        $0.rotationPeriodInDays = key.rotationPeriodInDays
        if key.state == .enabled { $0.nextRotationDate = key.nextRotation }
      }
    }
  }

  func listKeyRotations(
    _ input: KMS.ListKeyRotationsRequest, _ call: CallContext
  ) async throws -> KMS.ListKeyRotationsResponse {
    let key = try await key(input.keyId, call)
    guard key.spec == .symmetric else { throw KMSError.unsupported("\(key.arn) cannot be rotated.") }
    let wantsAll = input.includeKeyMaterial == "ALL_KEY_MATERIAL"
    let shown = key.materials.enumerated().filter { wantsAll || $0.element.rotation != nil }
    let page = try Page(shown, limit: input.limit ?? KMSLimits.pageDefault, marker: input.marker) {
      // Generations come in the order of their making.
      String(String($0.offset + 1_000_000).dropFirst())
    }
    return .make {
      $0.rotations = page.items.map { offset, generation in
        .make {
          $0.keyId = key.id
          $0.keyMaterialId = generation.id
          $0.keyMaterialState = offset == key.materials.count - 1 ? "CURRENT" : "NON_CURRENT"
          if let rotation = generation.rotation {
            $0.rotationDate = generation.created
            $0.rotationType = rotation.rawValue
          }
        }
      }
      $0.truncated = page.next != nil
      $0.nextMarker = page.next
    }
  }

  func rotateKeyOnDemand(
    _ input: KMS.RotateKeyOnDemandRequest, _ call: CallContext
  ) async throws -> KMS.RotateKeyOnDemandResponse {
    let bytes = try await Material.generate(.symmetric, call.ids)
    let id = try await change(input.keyId, call) { key, _ in
      try key.requireRotatable("RotateKeyOnDemand")
      guard key.materials.count(where: { $0.rotation == .onDemand }) < KMSLimits.onDemandRotationsMax else {
        throw KMSError.limitExceeded("The maximum number of on-demand rotations has been reached for \(key.arn).")
      }
      key.materials.append(try seal(bytes, into: key, rotation: .onDemand, now: call.now))
      return key.id
    }
    return .make { $0.keyId = id }
  }
}

extension KeyRecord {
  /// - Throws: `UnsupportedOperationException`, `DisabledException`, `KMSInvalidStateException`.
  func requireRotatable(_ operation: String) throws {
    try requireCustomerManaged(operation)
    guard spec == .symmetric else {
      throw KMSError.unsupported("\(operation) is not supported for key spec \(spec.rawValue).")
    }
    try requireUsable()
  }
}
