// Application Recovery Controller's zonal shift: traffic of load balancers is moved away from an Availability Zone.

import ARCZonalShiftModel
import AWSCore
import AWSWire
import GateProtocol
import ServiceKit
import Store

public struct ARCZonalShiftService: AWSService {
  let environment: ServiceEnvironment
  let keeper: ShiftKeeper
  var store: Store { environment.store }

  /// The service that asks Elastic Load Balancing and EC2 about load balancers and their zones.
  static let servicePrincipal = "arc-zonal-shift.amazonaws.com"

  public static let collections: [any Record.Type] = [ShiftRecord.self]

  /// - Parameter gate: where shifts take effect; this service's part is "arc-zonal-shift". nil: nowhere.
  public init(_ environment: ServiceEnvironment, gate: GateController? = nil) {
    self.environment = environment
    keeper = ShiftKeeper(environment, gate: gate)
  }

  public var apis: [ServiceAPI] { [ServiceAPI(ARCZonalShift.model, actionPrefix: "arc-zonal-shift", table)] }

  /// Keeps the Gate at the shifts that are active.
  public func run() async throws { await keeper.run() }

  private var table: HandlerTable {
    var table = HandlerTable()
    table.on(
      ARCZonalShift.startZonalShift, access: { input, _ in [Self.access(input.resourceIdentifier)] }, startZonalShift)
    table.on(
      ARCZonalShift.updateZonalShift,
      access: { input, call in [Self.access(try await shift(input.zonalShiftId, call).resource)] }, updateZonalShift)
    table.on(
      ARCZonalShift.cancelZonalShift,
      access: { input, call in [Self.access(try await shift(input.zonalShiftId, call).resource)] }, cancelZonalShift)
    table.on(ARCZonalShift.listZonalShifts, listZonalShifts)
    table.on(
      ARCZonalShift.getManagedResource, access: { input, _ in [Self.access(input.resourceIdentifier)] },
      getManagedResource)
    table.on(ARCZonalShift.listManagedResources, listManagedResources)
    table.on(ARCZonalShift.listAutoshifts, listAutoshifts)
    table.on(
      ARCZonalShift.updateZonalAutoshiftConfiguration,
      access: { input, _ in [Self.access(input.resourceIdentifier)] }, updateZonalAutoshiftConfiguration)
    return table
  }

  private static func access(_ resource: String) -> ResourceAccess {
    ResourceAccess(resource, context: ["arc-zonal-shift:ResourceIdentifier": [resource]])
  }

  func shift(_ id: String, _ call: CallContext) async throws -> ShiftRecord {
    guard let record = try await store.get(ShiftRecord.self, call.scope, id) else { throw ShiftError.noShift(id) }
    return record
  }
}
