// The listening sockets that a loop was given, under the numbers that they have in its own descriptor table.
import CLinux
import GateProtocol
import Glibc

struct LoopSockets: ~Copyable {
  /// The loop's end of its `LoopLink`, or -1 for a loop that nobody gives anything.
  let link: Int32
  /// Own descriptors by the sockets' ids, those of snapshots yet to come among them.
  private var held: [UInt64: Int32] = [:]
  /// Used by the last snapshot.
  private var used: Set<UInt64> = []
  /// Used by the snapshot that is being taken over.
  private var wanted: Set<UInt64> = []

  init(link: Int32 = -1) { self.link = link }

  deinit {
    for descriptor in held.values { close(descriptor) }
    if link >= 0 { close(link) }
  }

  /// Takes what has come. False when nothing will come any more.
  mutating func receive() -> Bool {
    while link >= 0 {
      var id: UInt64 = 0
      var descriptor: Int32 = -1
      let count = withUnsafeMutableBytes(of: &id) { bytes in
        bytes.withMemoryRebound(to: CChar.self) {
          gate_channel_receive(link, $0.baseAddress.unsafelyUnwrapped, $0.count, &descriptor)
        }
      }
      if count == -Int(EAGAIN) { return true }
      if count <= 0 { return false }
      if descriptor >= 0 {
        held[id] = descriptor
      } else {
        GateLog.error("a loop has no descriptor left for a listening socket", [])
      }
    }
    return false
  }

  /// The sockets of a snapshot under the loop's own numbers; without those that did not come.
  mutating func own(_ sockets: [String: BoundSocket]) -> [String: BoundSocket] {
    _ = receive()
    return sockets.compactMapValues { socket in
      guard let descriptor = held[socket.id] else { return nil }
      wanted.insert(socket.id)
      var own = socket
      own.descriptor = descriptor
      return own
    }
  }

  /// The snapshot is taken over: closes what only the one before had used.
  mutating func closeUnused() {
    for id in used where !wanted.contains(id) {
      if let descriptor = held.removeValue(forKey: id) { close(descriptor) }
    }
    used = wanted
    wanted = []
  }
}
