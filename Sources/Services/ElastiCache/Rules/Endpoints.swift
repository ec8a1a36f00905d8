// Where a group's endpoints listen and point. Pure.

import GateProtocol

enum Endpoints {
  static func primaryID(_ arn: String) -> String { arn + ":primary" }
  static func readerID(_ arn: String) -> String { arn + ":reader" }
  static func nodeOwner(_ arn: String, _ node: String) -> String { "\(arn):node:\(node)" }

  /// The primary endpoint leads to the current primary, the reader endpoint to the replicas in step, and to the primary
  /// when there is none.
  static func of(_ group: GroupRecord, _ seen: ObservedRecord?) -> [GateSnapshot.TCPEndpoint] {
    let seen = seen?.resourceID == group.resourceID ? seen : nil
    func backend(_ node: ObservedRecord.Node) -> GateSnapshot.Backend? {
      UInt16(exactly: node.port).map { .init(address: node.address, port: $0) }
    }
    let primary = [seen?.availablePrimary].compactMap { $0 }.compactMap(backend)
    let replicas = (seen?.availableReplicas ?? []).compactMap { backend($0.node) }
    let port = UInt16(exactly: group.port) ?? 6379
    return [
      .init(
        id: primaryID(group.arn), address: group.primaryAddress, port: port, backends: primary,
        closesConnectionsOfRemovedBackends: true, waitForBackend: CacheLimits.waitForBackend),
      .init(
        id: readerID(group.arn), address: group.readerAddress, port: port,
        backends: replicas.isEmpty ? primary : replicas, closesConnectionsOfRemovedBackends: true,
        waitForBackend: CacheLimits.waitForBackend),
    ]
  }
}
