// A log file that somebody else appends to: what has come since a place in it, as whole lines.

import Glibc
import Supervisor

/// Lines of a log file. Blocks: not for the cooperative pool.
struct LogFile: Sendable {
  let path: String

  /// Some lines, and where they end.
  struct Part: Sendable {
    var lines: [String] = []
    var end: Int64
    /// There may be more to read at once.
    var isFull = false
  }

  /// Reads whole lines from an offset.
  /// - Parameter isOver: nothing more will be written: the rest without a line break is a line too.
  func read(from offset: Int64, isOver: Bool) -> Part {
    var part = Part(end: offset)
    let fd = open(path, O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { return part }
    defer { close(fd) }
    var buffer = [UInt8](repeating: 0, count: Limits.logBatchBytes)
    var count = 0
    while count < buffer.count {
      let n = buffer.withUnsafeMutableBytes {
        pread(fd, $0.baseAddress.map { $0 + count }, $0.count - count, off_t(offset) + count)
      }
      if n < 0 && errno == EINTR { continue }
      if n <= 0 { break }
      count += n
    }
    part.isFull = count == buffer.count
    var start = 0
    while start < count, part.lines.count < Limits.logBatchEvents {
      let stop = min(start + Limits.logLineBytes, count)
      if let newline = buffer[start..<stop].firstIndex(of: UInt8(ascii: "\n")) {
        part.lines.append(Self.text(buffer[start..<newline]))
        start = newline + 1
      } else if stop - start == Limits.logLineBytes {
        // Too long for one event: a piece of it, cut between characters.
        let cut = Self.cut(buffer[start..<stop])
        part.lines.append(Self.text(buffer[start..<cut]))
        start = cut
      } else {
        // Not yet ended.
        guard isOver, !part.isFull else { break }
        part.lines.append(Self.text(buffer[start..<stop]))
        start = stop
      }
    }
    if part.lines.count == Limits.logBatchEvents { part.isFull = true }
    part.end = offset + Int64(start)
    return part
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    var bytes = bytes
    if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Where the last whole character ends.
  private static func cut(_ bytes: ArraySlice<UInt8>) -> Int {
    var at = bytes.endIndex
    // Back over continuation bytes, at most three, to the byte that leads the character.
    while at > bytes.endIndex - 4, at > bytes.startIndex + 1, bytes[at - 1] & 0xC0 == 0x80 { at -= 1 }
    guard at > bytes.startIndex + 1, bytes[at - 1] >= 0xC0 else { return bytes.endIndex }
    let length = bytes[at - 1] >= 0xF0 ? 4 : bytes[at - 1] >= 0xE0 ? 3 : 2
    return at - 1 + length <= bytes.endIndex ? bytes.endIndex : at - 1
  }

  /// Gives the disk space of what was shipped back. Offsets stay as they are, and so does the end of the file, so
  /// nothing that is being written can be lost. File systems that cannot do it keep the file.
  /// - Returns: up to where it is given back now.
  func punch(from start: Int64, to end: Int64) -> Int64 {
    PrivateFiles.giveBack(path, from: start, to: end) ? end : start
  }
}

/// How far a log has been shipped, and where to: a small file beside it. Written without a flush: after a crash of the
/// machine a few lines may come twice.
struct LogMark: Codable, Sendable, Hashable {
  var offset: Int64 = 0
  var punched: Int64 = 0
  var destination: LogDestination
}
