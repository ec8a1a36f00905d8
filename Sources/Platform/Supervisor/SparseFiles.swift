// Log files that grow at their end and give back their beginning.

import CLinux
import Glibc

extension PrivateFiles {
  /// Gives the disk space of a part of a file back to the file system. The file's length stays, so whoever appends to it
  /// notices nothing. Blocks.
  /// - Returns: false where the file system cannot do it.
  public static func giveBack(_ path: String, from start: Int64, to end: Int64) -> Bool {
    let fd = open(path, O_WRONLY | O_CLOEXEC)
    guard fd >= 0 else { return false }
    defer { close(fd) }
    return castle_punch_hole(fd, start, end - start) == 0
  }
}
