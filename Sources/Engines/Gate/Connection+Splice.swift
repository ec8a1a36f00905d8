// Passing many bytes on without copying them (splice(2)): answers and tunnels between two sockets in plain text, when nothing
// of them must be looked at. See Documentation/Decisions/0019-long-answers-are-spliced.md.
//
// It takes two calls, as reading and sending do, and a third that finds nothing left, because a short splice does not say
// that the socket is empty. So it is for where much comes: after reads that filled the buffer.
import CLinux
import Glibc

/// Whether more comes on a connection than is worth copying.
struct Plenty {
  /// Bytes; fewer are copied as fast.
  static let threshold = 32 << 10
  private static let patience: UInt8 = 8

  /// How many short splices may follow.
  private var credit: UInt8 = 0

  var isExpected: Bool { credit > 0 }

  /// A read filled the buffer, or a long body begins.
  mutating func expect() { credit = Self.patience }

  mutating func note(_ count: Int) {
    if count >= Self.threshold { credit = Self.patience } else if credit > 0 { credit -= 1 }
  }
}

extension Connection {
  /// Passes on what there is, up to `limit` bytes, to a connection for which nothing waits; what its socket does not take
  /// waits in its `out`. nil when bytes must be read and written instead. Otherwise as `receive`, and -3 when the receiver
  /// failed.
  final func splice(to receiver: Connection, atMost limit: Int = .max) -> Int? {
    guard limit >= Plenty.threshold, tls == nil, receiver.tls == nil, receiver.out.isEmpty, let pipe = loop.pipe
    else { return nil }
    let count = gate_splice(descriptor, pipe.writer, min(limit, SplicePipe.passMax))
    if count <= 0 {
      // Some sandboxes do not have it, or do not allow it.
      if [-Int(EINVAL), -Int(ENOSYS), -Int(EPERM)].contains(count) {
        loop.pipe = nil
        return nil
      }
      mayRead = false
      if count == 0 { return 0 }
      return count == -Int(EAGAIN) || count == -Int(EINTR) ? -1 : -2
    }
    receivedBytes &+= UInt64(count)
    plenty.note(count)
    var left = count
    while left > 0 {
      let sent = gate_splice(pipe.reader, receiver.descriptor, left)
      if sent > 0 {
        left -= sent
        continue
      }
      // The pipe must be empty for the next connection, whatever became of this one.
      pipe.empty(left, into: &receiver.out)
      return sent == -Int(EAGAIN) || sent == -Int(EINTR) ? count : -3
    }
    return count
  }
}
