// Managed resources: the load balancers that can be shifted, and what is shifted of them; autoshifts.

import ARCZonalShiftModel
import AWSCore
import AWSWire
import ServiceKit
import Store

extension ARCZonalShiftService {
  func resources(_ call: CallContext) -> ManagedResources {
    ManagedResources(call.acting(as: Self.servicePrincipal))
  }

  /// - Throws: `ValidationException` for what is no ARN, `ResourceNotFoundException`.
  func managed(_ arn: String, _ call: CallContext) async throws -> ManagedResource {
    guard ARN(arn) != nil else {
      throw ShiftError.validation("InvalidResourceIdentifier", "'\(arn)' is not an Amazon Resource Name.")
    }
    guard let found = try await resources(call).resource(arn) else { throw ShiftError.notManaged(arn) }
    return found
  }

  func getManagedResource(
    _ input: ARCZonalShift.GetManagedResourceRequest, _ call: CallContext
  ) async throws -> ARCZonalShift.GetManagedResourceResponse {
    let resource = try await managed(input.resourceIdentifier, call)
    let shifts = try await activeShifts(call)[resource.arn] ?? []
    return .make {
      $0.arn = resource.arn
      $0.name = resource.name
      $0.appliedWeights = Self.weights(resource, shifts)
      $0.zonalShifts = shifts.map(Self.answer)
      $0.autoshifts = []
      $0.zonalAutoshiftStatus = "DISABLED"
    }
  }

  func listManagedResources(
    _ input: ARCZonalShift.ListManagedResourcesRequest, _ call: CallContext
  ) async throws -> ARCZonalShift.ListManagedResourcesResponse {
    let page = try Page(
      try await resources(call).all(), after: input.nextToken, limit: input.maxResults ?? ShiftLimits.pageMax,
      place: \.arn, invalid: ShiftError.badToken)
    let shifts = try await activeShifts(call)
    return .make {
      $0.items = page.items.map { resource in
        .make {
          $0.arn = resource.arn
          $0.name = resource.name
          $0.availabilityZones = resource.zones.map(\.id)
          $0.appliedWeights = Self.weights(resource, shifts[resource.arn] ?? [])
          $0.zonalShifts = (shifts[resource.arn] ?? []).map(Self.answer)
          $0.autoshifts = []
          $0.zonalAutoshiftStatus = "DISABLED"
          $0.practiceRunStatus = "DISABLED"
        }
      }
      $0.nextToken = page.next
    }
  }

  /// There are none: AWS starts them when it finds an Availability Zone impaired, and nothing here looks for that.
  func listAutoshifts(
    _ input: ARCZonalShift.ListAutoshiftsRequest, _ call: CallContext
  ) async throws -> ARCZonalShift.ListAutoshiftsResponse {
    guard input.nextToken == nil else { throw ShiftError.badToken }
    return .make { $0.items = [] }
  }

  /// Autoshift needs a configuration of practice runs, and none can be made here.
  func updateZonalAutoshiftConfiguration(
    _ input: ARCZonalShift.UpdateZonalAutoshiftConfigurationRequest, _ call: CallContext
  ) async throws -> ARCZonalShift.UpdateZonalAutoshiftConfigurationResponse {
    let resource = try await managed(input.resourceIdentifier, call)
    guard input.zonalAutoshiftStatus == "DISABLED" else {
      throw ShiftError.conflict(
        "PracticeConfigurationDoesNotExist", "The resource has no practice run configuration.")
    }
    return .make {
      $0.resourceIdentifier = resource.arn
      $0.zonalAutoshiftStatus = "DISABLED"
    }
  }

  private func activeShifts(_ call: CallContext) async throws -> [String: [ShiftRecord]] {
    let all = try await store.read { try $0.list(ShiftRecord.self, call.scope) }
    return Dictionary(grouping: all.filter { $0.isActive(at: call.now) }, by: \.resource)
  }

  /// 1 for a zone that gets traffic, 0 for one that is shifted away from.
  private static func weights(_ resource: ManagedResource, _ shifts: [ShiftRecord]) -> [String: Double] {
    let shifted = Set(shifts.map(\.zoneID))
    return Dictionary(resource.zones.map { ($0.id, shifted.contains($0.id) ? 0 : 1) }) { $1 }
  }

  private static func answer(_ record: ShiftRecord) -> ARCZonalShift.ZonalShiftInResource {
    .make {
      $0.appliedStatus = "APPLIED"
      $0.zonalShiftId = record.id
      $0.resourceIdentifier = record.resource
      $0.awayFrom = record.zoneID
      $0.startTime = record.started
      $0.expiryTime = record.expires
      $0.comment = record.comment
      $0.shiftType = "ZONAL_SHIFT"
    }
  }
}
