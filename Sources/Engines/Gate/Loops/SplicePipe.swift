// The way of long bodies from socket to socket: through a pipe of the kernel's, which holds references to what came instead
// of copies of it.
import CLinux
import Glibc

/// A loop's pipe. It is empty between two uses, so one is enough for all connections.
final class SplicePipe {
  /// Bytes that pass at once at most: as many wait in memory for a client that takes no more, and no more than when they are
  /// copied.
  static let passMax = EventLoop.readSize
  /// Bytes that the pipe is to hold: one page for each piece that came, however small that is.
  private static let size = 4 * passMax
  let reader: Int32
  let writer: Int32

  /// Belongs to the thread that makes it; nil without a descriptor for it.
  init?() {
    var reader: Int32 = -1
    var writer: Int32 = -1
    if gate_pipe(&reader, &writer, Int32(Self.size)) < 0 { return nil }
    self.reader = reader
    self.writer = writer
  }

  deinit {
    close(reader)
    close(writer)
  }

  /// Takes what is in it out again, for a receiver that cannot take it now.
  func empty(_ count: Int, into bytes: inout Bytes) {
    var left = count
    while left > 0 {
      let taken = read(reader, bytes.reserve(left), left)
      // Nobody else reads what we have put in.
      precondition(taken > 0, "the pipe lost \(left) bytes: errno \(errno)")
      bytes.advanceEnd(taken)
      left -= taken
    }
  }
}
