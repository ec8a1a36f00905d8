// Users of the machine, for dropping privileges.

import Glibc

/// Somebody a process can run as.
public struct SystemUser: Sendable, Hashable {
  public var name: String
  public var uid: UInt32
  public var gid: UInt32
  /// Supplementary groups, `gid` among them.
  public var groups: [UInt32]
  public var home: String

  public init(name: String, uid: UInt32, gid: UInt32, groups: [UInt32], home: String) {
    self.name = name
    self.uid = uid
    self.gid = gid
    self.groups = groups
    self.home = home
  }

  /// Whether this process is root, and so can become somebody else.
  public static var isRoot: Bool { geteuid() == 0 }

  /// A user of the machine's user database, or `nil`.
  public static func named(_ name: String) -> SystemUser? {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16_384)
    guard getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
    var count: Int32 = 64
    var groups = [gid_t](repeating: 0, count: Int(count))
    if getgrouplist(name, entry.pw_gid, &groups, &count) < 0 { count = 64 }
    return SystemUser(
      name: name, uid: entry.pw_uid, gid: entry.pw_gid, groups: Array(groups.prefix(Int(count))),
      home: entry.pw_dir.map { String(cString: $0) } ?? "/")
  }

  /// Whom an engine should run as: nobody special (`nil`: stay who we are) unless this process is root, else the first
  /// of the given users that exists, else `nobody`.
  public static func toDropTo(preferring names: [String]) -> SystemUser? {
    guard isRoot else { return nil }
    for name in names + ["nobody"] {
      if let user = named(name) { return user }
    }
    return SystemUser(name: "nobody", uid: 65_534, gid: 65_534, groups: [65_534], home: "/nonexistent")
  }
}
