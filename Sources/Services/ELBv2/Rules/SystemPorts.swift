// What this process may bind.

import FoundationEssentials

extension PortPlan {
  /// The kernel's limit, or none for a process that may bind any port.
  static func system() -> PortPlan {
    let limit = text("/proc/sys/net/ipv4/ip_unprivileged_port_start").flatMap { Int($0) } ?? 1024
    return PortPlan(privilegedBelow: mayBindAny ? 0 : limit)
  }

  /// CAP_NET_BIND_SERVICE is the tenth bit of the effective capabilities.
  private static var mayBindAny: Bool {
    let line = text("/proc/self/status")?.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
    guard let mask = line?.split(separator: "\t").last.flatMap({ UInt64($0, radix: 16) }) else { return false }
    return mask & (1 << 10) != 0
  }

  private static func text(_ path: String) -> String? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    let text = String(decoding: data, as: UTF8.self)
    return text.hasSuffix("\n") ? String(text.dropLast()) : text
  }
}
