// Where a cluster's endpoints listen and point. Pure.

import GateProtocol

enum Endpoints {
  static func writerID(_ arn: String) -> String { arn + ":writer" }
  static func readerID(_ arn: String) -> String { arn + ":reader" }

  /// The writer endpoint leads to the current writer, the reader endpoint to the available replicas, and to the writer
  /// when there is none.
  static func of(_ cluster: ClusterRecord, _ seen: ObservedRecord?) -> [GateSnapshot.TCPEndpoint] {
    let seen = seen?.resourceID == cluster.resourceID ? seen : nil
    func backend(_ instance: ObservedRecord.Instance) -> GateSnapshot.Backend? {
      UInt16(exactly: instance.port).map { .init(address: instance.address, port: $0) }
    }
    let writer = [seen?.availableWriter].compactMap { $0 }.compactMap(backend)
    let readers = (seen?.availableReaders ?? []).compactMap { backend($0.instance) }
    let port = UInt16(exactly: cluster.port) ?? 5432
    return [
      .init(
        id: writerID(cluster.arn), address: cluster.writerAddress, port: port, backends: writer,
        closesConnectionsOfRemovedBackends: true, waitForBackend: RDSLimits.waitForBackend),
      .init(
        id: readerID(cluster.arn), address: cluster.readerAddress, port: port,
        backends: readers.isEmpty ? writer : readers, closesConnectionsOfRemovedBackends: true,
        waitForBackend: RDSLimits.waitForBackend),
    ]
  }
}
