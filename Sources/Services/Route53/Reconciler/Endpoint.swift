// Where a health check's endpoint is: its address, or what the account's own zones say of its name.

import AWSCore
import HealthProbe
import ServiceKit
import Store

/// The public zones of an account, as far as a health checker asks them.
struct ZoneReader {
  let snapshot: Snapshot
  let scope: Scope

  /// Follows CNAMEs and aliases. Of several record sets of a name the first counts.
  func place(_ name: String, hops: Int = 8) throws -> HostedPlace {
    if let literal = Self.literal(name) { return literal }
    guard hops > 0, let normal = DomainName.normal(name) else { return .nowhere }
    if normal == "localhost." || normal.hasSuffix(".localhost.") { return .address("127.0.0.1", port: nil) }
    let zones = try snapshot.list(ZoneRecord.self, scope).filter { !$0.isPrivate && DomainName.isIn(normal, $0.name) }
    guard let zone = zones.max(by: { $0.name.utf8.count < $1.name.utf8.count }) else { return .elsewhere(name) }
    let sets = try sets(normal, zone)
    if let set = sets.first(where: { $0.type == "A" }) {
      if let alias = set.alias { return try place(alias.name, hops: hops - 1) }
      return set.values?.first.map { .address($0, port: nil) } ?? .nowhere
    }
    guard let other = sets.first(where: { $0.type == "CNAME" })?.values?.first else { return .nowhere }
    return try place(other, hops: hops - 1)
  }

  /// The record sets of a name, or else those of the wildcard nearest above it.
  private func sets(_ name: String, _ zone: ZoneRecord) throws -> [RecordSetRecord] {
    var asked = name
    while true {
      let found = try snapshot.find(RecordSetRecord.self, scope, index: "name", "\(zone.id) \(asked)")
      if !found.isEmpty || asked == "\\052.\(zone.name)" { return found }
      let base = asked.hasPrefix("\\052.") ? asked.dropFirst(5) : asked[...]
      let above = base.split(separator: ".", maxSplits: 1)
      guard above.count == 2, base != zone.name else { return [] }
      asked = "\\052.\(above[1])"
    }
  }

  /// `127.20.0.1` and `127.20.0.1:8080`, as Castle's load balancers are called.
  private static func literal(_ name: String) -> HostedPlace? {
    var text = name.hasSuffix(".") ? String(name.dropLast()) : name
    // A colon, as zones keep it.
    text = text.replacing("\\072", with: ":")
    if RecordValue.isIPv4(text) { return .address(text, port: nil) }
    let parts = text.split(separator: ":")
    guard parts.count == 2, RecordValue.isIPv4(String(parts[0])), let port = UInt16(parts[1]) else { return nil }
    return .address(String(parts[0]), port: Int(port))
  }
}

extension HealthCheckRecord {
  /// What is asked of the endpoint; nil when its name leads nowhere.
  func probe(_ zones: ZoneReader) throws -> Probe? {
    let isTLS = settings.type.isTLS
    let usual = isTLS ? 443 : 80
    var port = settings.port ?? usual
    var host = settings.ipAddress ?? ""
    if settings.ipAddress == nil {
      switch try zones.place(settings.domainName ?? "") {
      case .nowhere: return nil
      case .elsewhere(let name): host = name
      case .address(let address, let own):
        host = address
        // A load balancer that could not have port 80 says in its name which one it has.
        if let own, port == 80 { port = own }
      }
    }
    var header = settings.domainName.flatMap { $0.isEmpty ? nil : $0 } ?? host
    if settings.domainName == nil, header.contains(":") { header = "[\(header)]" }
    if let given = settings.port, given != usual, !(settings.domainName ?? "").contains(":") { header += ":\(given)" }
    let path = settings.resourcePath ?? ""
    return Probe(
      settings.type == .tcp ? .tcp : isTLS ? .https : .http, host: host, port: port, hostHeader: header,
      path: path.hasPrefix("/") ? path : "/\(path)",
      userAgent: "Amazon-Route53-Health-Check-Service (ref \(id); Castle)",
      serverName: settings.enablesSNI == true ? settings.domainName?.split(separator: ":").first.map(String.init) : nil,
      searchString: settings.type.searches ? settings.searchString : nil,
      limits: .init(connect: settings.type == .tcp ? 10_000 : 4000))
  }
}
