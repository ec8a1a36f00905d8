// Zonal shifts: started, changed, cancelled, listed.

import ARCZonalShiftModel
import AWSCore
import AWSWire
import ServiceKit
import Store

extension ARCZonalShiftService {
  func startZonalShift(
    _ input: ARCZonalShift.StartZonalShiftRequest, _ call: CallContext
  ) async throws -> ARCZonalShift.ZonalShift {
    let expires = try Expiry.read(input.expiresIn, after: call.now)
    let resource = try await managed(input.resourceIdentifier, call)
    guard let zone = resource.zones.first(where: { $0.id == input.awayFrom }) else {
      let known = try await resources(call).zoneIDs().values.contains(input.awayFrom)
      throw ShiftError.validation(
        known ? "UnsupportedAz" : "InvalidAz",
        known
          ? "The resource is not in the Availability Zone '\(input.awayFrom)'."
          : "'\(input.awayFrom)' is not the id of an Availability Zone of \(call.region).")
    }
    let fresh = ShiftRecord(
      id: call.ids.uuid(), resource: resource.arn, zoneID: zone.id, zone: zone.name, started: call.now,
      expires: expires, comment: input.comment)
    try await store.write { tx in
      let others = try tx.find(ShiftRecord.self, call.scope, index: "resource", fresh.resource)
      if let active = others.first(where: { $0.isActive(at: call.now) }) {
        throw ShiftError.conflict(
          "ZonalShiftAlreadyExists", "There is already an active zonal shift for the resource.", shift: active.id)
      }
      let old = call.now.adding(days: -ShiftLimits.memoryDays)
      for other in others where (other.cancelled ?? other.expires) < old {
        try tx.delete(ShiftRecord.self, call.scope, other.id)
      }
      try tx.put(fresh, call.scope)
    }
    await keeper.apply()
    return Self.answer(fresh, call)
  }

  func updateZonalShift(
    _ input: ARCZonalShift.UpdateZonalShiftRequest, _ call: CallContext
  ) async throws -> ARCZonalShift.ZonalShift {
    guard input.comment != nil || input.expiresIn != nil else {
      throw ShiftError.validation("MissingValue", "Either comment or expiresIn must be given.")
    }
    let expires = try input.expiresIn.map { try Expiry.read($0, after: call.now) }
    return try await change(input.zonalShiftId, call) { record in
      if let expires { record.expires = expires }
      if let comment = input.comment { record.comment = comment }
    }
  }

  func cancelZonalShift(
    _ input: ARCZonalShift.CancelZonalShiftRequest, _ call: CallContext
  ) async throws -> ARCZonalShift.ZonalShift {
    try await change(input.zonalShiftId, call) { $0.cancelled = call.now }
  }

  /// Changes a shift that is active.
  private func change(
    _ id: String, _ call: CallContext, _ change: @escaping @Sendable (inout ShiftRecord) -> Void
  ) async throws -> ARCZonalShift.ZonalShift {
    let changed = try await store.write { tx in
      guard var record = try tx.get(ShiftRecord.self, call.scope, id) else { throw ShiftError.noShift(id) }
      guard record.isActive(at: call.now) else {
        throw ShiftError.conflict(
          "ZonalShiftStatusNotActive", "The zonal shift is not active; it is \(record.status(at: call.now)).",
          shift: id)
      }
      change(&record)
      try tx.put(record, call.scope)
      return record
    }
    await keeper.apply()
    return Self.answer(changed, call)
  }

  func listZonalShifts(
    _ input: ARCZonalShift.ListZonalShiftsRequest, _ call: CallContext
  ) async throws -> ARCZonalShift.ListZonalShiftsResponse {
    let now = call.now
    let all = try await store.read { try $0.list(ShiftRecord.self, call.scope) }.filter { record in
      (input.status ?? record.status(at: now)) == record.status(at: now)
        && (input.resourceIdentifier ?? record.resource) == record.resource
    }
    // The newest first.
    let sorted = all.sorted { ($0.started, $0.id) > ($1.started, $1.id) }
    let page = try Page(
      listed: sorted, after: input.nextToken, limit: input.maxResults ?? ShiftLimits.pageMax, id: \.id,
      invalid: ShiftError.badToken)
    return .make {
      $0.items = page.items.map { record in
        .make {
          $0.zonalShiftId = record.id
          $0.resourceIdentifier = record.resource
          $0.awayFrom = record.zoneID
          $0.startTime = record.started
          $0.expiryTime = record.expires
          $0.status = record.status(at: now)
          $0.comment = record.comment
          $0.shiftType = "ZONAL_SHIFT"
        }
      }
      $0.nextToken = page.next
    }
  }

  private static func answer(_ record: ShiftRecord, _ call: CallContext) -> ARCZonalShift.ZonalShift {
    .make {
      $0.zonalShiftId = record.id
      $0.resourceIdentifier = record.resource
      $0.awayFrom = record.zoneID
      $0.startTime = record.started
      $0.expiryTime = record.expires
      $0.status = record.status(at: call.now)
      $0.comment = record.comment
    }
  }
}
