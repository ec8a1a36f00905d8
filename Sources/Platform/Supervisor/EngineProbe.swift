// Which engines the machine has, and in which version: for `castle doctor` and for choosing what runs.

import Glibc

/// A program found on the machine.
public struct EngineProgram: Sendable, Hashable {
  /// `postgres`, `redis-server`, `castle-shim` …
  public var name: String
  /// Its full path.
  public var path: String
  /// As the program itself says (`15.18`); `nil` when it has none or could not be asked.
  public var version: String?

  public init(name: String, path: String, version: String?) {
    self.name = name
    self.path = path
    self.version = version
  }

  /// The directory it is in.
  public var directory: String { String(path.prefix(max(0, path.utf8.count - name.utf8.count - 1))) }
  /// The number before the first dot.
  public var majorVersion: Int? { version.flatMap { Int($0.prefix { $0.isNumber }) } }
}

public enum EngineProbe {
  /// All PostgreSQL servers, the newest version first: Debian's /usr/lib/postgresql/*/bin, then PATH.
  /// `directory` of each holds initdb, pg_basebackup and the rest.
  public static func postgres() async -> [EngineProgram] {
    let versions = ((try? PrivateFiles.list("/usr/lib/postgresql")) ?? []).compactMap { Int($0) }.sorted(by: >)
    var paths = versions.map { "/usr/lib/postgresql/\($0)/bin/postgres" }
    paths += ["/usr/pgsql/bin/postgres"] + searchPath.map { $0 + "/postgres" }
    return await programs("postgres", paths)
  }

  /// The Redis server of PATH.
  public static func redis() async -> EngineProgram? {
    await programs("redis-server", searchPath.map { $0 + "/redis-server" }).first
  }

  /// The program that writes the packet filter, where castle-gate runs it: Debian's place, whatever PATH says.
  public static func nftables() async -> EngineProgram? {
    await programs("nft", ["/usr/sbin/nft"]).first
  }

  /// Whether this process may write the packet filter of its network: CAP_NET_ADMIN (capabilities(7)).
  public static var mayFilterPackets: Bool {
    guard let status = try? PrivateFiles.read("/proc/self/status") else { return false }
    let line = String(decoding: status, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("CapEff:") }
    let set = line.flatMap { UInt64($0.dropFirst(7).filter { !$0.isWhitespace }, radix: 16) } ?? 0
    return set & 1 << 12 != 0
  }

  /// Castle's own helper beside the running program: `castle-shim`, `castle-gate`. `nil` when it is not there.
  public static func helper(_ name: String) -> EngineProgram? {
    let path = besideExecutable(name)
    return access(path, X_OK) == 0 ? EngineProgram(name: name, path: path, version: nil) : nil
  }

  /// Where a helper belongs: in the directory of the running program.
  public static func besideExecutable(_ name: String) -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let n = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    let own = String(decoding: buffer.prefix(max(0, n)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return String(own[..<(own.lastIndex(of: "/") ?? own.startIndex)]) + "/" + name
  }

  private static var searchPath: [String] {
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    let own = path.split(separator: ":").map(String.init)
    return own + ["/usr/local/bin", "/usr/bin", "/usr/sbin"].filter { !own.contains($0) }
  }

  private static func programs(_ name: String, _ paths: [String]) async -> [EngineProgram] {
    let found = try? await BlockingQueue.once("probe") { () throws -> [EngineProgram] in
      var seen: Set<String> = []
      return paths.filter { seen.insert($0).inserted && access($0, X_OK) == 0 }.map {
        EngineProgram(name: name, path: $0, version: askVersion($0))
      }
    }
    return found ?? []
  }

  /// The first word that starts with a digit in what `--version` prints (`Redis server v=7.0.15 sha=…`).
  private static func askVersion(_ path: String) -> String? {
    let quoted = "'" + path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    guard let pipe = popen("exec \(quoted) --version 2>/dev/null </dev/null", "re") else { return nil }
    defer { pclose(pipe) }
    var bytes = [UInt8](repeating: 0, count: 512)
    let n = fread(&bytes, 1, bytes.count, pipe)
    return version(in: String(decoding: bytes.prefix(n), as: UTF8.self))
  }

  static func version(in text: String) -> String? {
    for word in text.split(whereSeparator: { $0.isWhitespace || $0 == "=" })
    where word.first?.isNumber == true {
      let version = word.prefix { $0.isNumber || $0 == "." }
      if version.contains(".") { return String(version) }
    }
    return nil
  }
}
