// How listening sockets come from the control thread into a loop's descriptor table: over a pair of Unix sockets, as they
// come to the worker from its master.
import CLinux
import GateProtocol
import Glibc

/// The control thread's end of the way into one loop's table.
final class LoopLink {
  /// The loop's end, which its thread takes along into its own table.
  let far: Int32
  private let near: Int32
  private var isFarOurs = true
  /// What the loop has, by the sockets' ids.
  private var given: Set<UInt64> = []

  init() throws(GateFailure) {
    var near: Int32 = -1
    var far: Int32 = -1
    let result = gate_channel(&near, &far)
    if result < 0 { throw GateFailure("socketpair", code: -result) }
    self.near = near
    self.far = far
    _ = fcntl(far, F_SETFL, O_NONBLOCK)
  }

  deinit {
    letGoOfFar()
    close(near)
  }

  /// The loop's end is no longer ours: the loop has a copy in a table of its own, or closes it itself.
  func leaveFarToLoop(closing: Bool) {
    if closing { letGoOfFar() }
    isFarOurs = false
  }

  private func letGoOfFar() { if isFarOurs { close(far) } }

  /// Sends what the loop does not have yet of the sockets of a snapshot; with the snapshot it lets go of the others.
  func give(_ sockets: [BoundSocket]) {
    for socket in sockets where !given.contains(socket.id) {
      let result = withUnsafeBytes(of: socket.id) { bytes in
        // A buffer of eight bytes always has a base address.
        bytes.withMemoryRebound(to: CChar.self) {
          gate_channel_send(near, $0.baseAddress.unsafelyUnwrapped, $0.count, socket.descriptor)
        }
      }
      // A loop that has ended takes nothing any more.
      if result < 0, result != -EPIPE, result != -ECONNRESET {
        GateLog.error(
          "a loop cannot be given a listening socket",
          [("port", "\(socket.port)"), ("reason", String(cString: strerror(-result)))])
      }
    }
    given = Set(sockets.map(\.id))
  }
}
