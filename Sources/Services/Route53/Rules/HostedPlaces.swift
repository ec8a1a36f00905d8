// What the public zones answer to other services of the castle.

import ServiceKit
import Store

extension Route53Service: HostedNames {
  public var nameCollections: Set<String> { [ZoneRecord.collection, RecordSetRecord.collection] }

  public func place(of host: String) async throws -> HostedPlace {
    guard let name = DomainName.normal(host) else { return .elsewhere(host) }
    return try await store.read { snapshot in
      let zones = try snapshot.list(ZoneRecord.self).filter { !$0.1.isPrivate && DomainName.isIn(name, $0.1.name) }
      guard let longest = zones.max(by: { $0.1.name.utf8.count < $1.1.name.utf8.count }) else {
        return .elsewhere(host)
      }
      return try ZoneReader(snapshot: snapshot, scope: longest.0).place(host)
    }
  }
}
