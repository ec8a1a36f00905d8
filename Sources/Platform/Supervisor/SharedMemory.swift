// /dev/shm, where PostgreSQL's processes share memory: without it no database starts.

import Glibc

/// What is wrong with /dev/shm.
public struct SharedMemoryFault: Sendable, Hashable {
  /// `/dev/shm is missing`
  public var problem: String
  /// The command that helps.
  public var remedy: String
}

public enum SharedMemory {
  /// The room that a few databases take.
  static let leastMegabytes: UInt64 = 32

  /// Looks at /dev/shm.
  /// - Parameter path: another place, for tests.
  /// - Returns: nil when servers can share memory there.
  public static func check(_ path: String = "/dev/shm") -> SharedMemoryFault? {
    var info = stat()
    guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
      return SharedMemoryFault(
        problem: "\(path) is missing",
        remedy: "mount it: mkdir -p \(path) && mount -t tmpfs -o mode=1777 tmpfs \(path)")
    }
    var room = statvfs()
    guard statvfs(path, &room) == 0 else {
      return SharedMemoryFault(problem: "\(path): \(errorText(errno))", remedy: "mount -t tmpfs tmpfs \(path)")
    }
    if room.f_flag & UInt(ST_RDONLY) != 0 {
      return SharedMemoryFault(
        problem: "\(path) is read-only", remedy: "mount it: mount -t tmpfs -o mode=1777 tmpfs \(path)")
    }
    // The servers run as a user of their own, who is neither owner nor in the group.
    guard info.st_mode & 0o007 == 0o007 || access(path, R_OK | W_OK | X_OK) == 0 && geteuid() != 0 else {
      return SharedMemoryFault(problem: "\(path) is not open to all users", remedy: "chmod 1777 \(path)")
    }
    let free = (UInt64(room.f_bavail) * UInt64(room.f_frsize)) >> 20
    guard free >= leastMegabytes else {
      return SharedMemoryFault(
        problem: "\(path) has \(free) MB left",
        remedy: "give it more room: mount -o remount,size=1g \(path) (docker run --shm-size=1g)")
    }
    return nil
  }
}
