// The listening sockets: bound for a snapshot, kept while it wants them, and lent to the master process, which holds
// them over the death of a worker.
import CLinux
import GateProtocol
import Glibc

/// What a listening socket was asked to be.
struct SocketKey: Hashable {
  /// `listener`, `endpoint` or `udpN`: the UDP socket of loop N.
  var kind: String
  var id: String
  var address: String
  var port: UInt16

  var isDatagram: Bool { kind.hasPrefix("udp") }

  /// As the master knows it.
  var name: String { "\(kind) \(address) \(port) \(id)" }

  init(kind: String, id: String, address: String, port: UInt16) {
    self.kind = kind
    self.id = id
    self.address = address
    self.port = port
  }

  init?(name: String) {
    let parts = name.split(separator: " ", maxSplits: 3)
    guard parts.count == 4, let port = UInt16(parts[2]) else { return nil }
    self.init(kind: String(parts[0]), id: String(parts[3]), address: String(parts[1]), port: port)
  }
}

/// Binds and holds listening sockets.
final class SocketKeeper {
  private struct Held {
    var socket: BoundSocket
    var note: String?
  }

  private var held: [SocketKey: Held] = [:]
  private var count: UInt64 = 0
  /// The channel to the master process, or -1.
  private let master: Int32

  init(master: Int32) { self.master = master }

  /// Takes a socket that the master held for a worker that died.
  func adopt(name: String, descriptor: Int32) {
    var address: UInt32 = 0
    var port: UInt16 = 0
    guard let key = SocketKey(name: name), gate_local_name(descriptor, &address, &port) == 0 else {
      close(descriptor)
      return
    }
    let isAsWanted = (key.port == 0 || key.port == port) && IPv4.parse(key.address) == address
    held[key] = Held(
      socket: BoundSocket(id: nextID(), descriptor: descriptor, address: address, port: port),
      note: isAsWanted ? nil : "\(key.address):\(key.port) could not be bound")
  }

  /// The sockets for these keys: held ones, ones taken over from keys no longer wanted, and new ones.
  /// Also returns the descriptors to close once no loop listens on them any more.
  func arrange(_ wanted: [SocketKey]) -> (bindings: [SocketKey: GateStatus.Binding], unused: [Int32]) {
    let wantedSet = Set(wanted)
    var spare = held.filter { !wantedSet.contains($0.key) }
    var bindings: [SocketKey: GateStatus.Binding] = [:]
    for key in wanted {
      if held[key] == nil { held[key] = takeOver(key, &spare) ?? bind(key, &bindings) }
      if let entry = held[key] {
        bindings[key] = GateStatus.Binding(
          id: key.id, address: IPv4.text(entry.socket.address), port: entry.socket.port, error: entry.note)
      }
    }
    for key in spare.keys {
      held[key] = nil
      tell("D" + key.name, -1)
    }
    return (bindings, spare.values.map(\.socket.descriptor))
  }

  func socket(_ key: SocketKey) -> BoundSocket? { held[key]?.socket }

  func closeAll() {
    for entry in held.values { close(entry.socket.descriptor) }
    held = [:]
  }

  /// A listener that was made anew on the same address and port goes on with the old one's socket and backlog.
  private func takeOver(_ key: SocketKey, _ spare: inout [SocketKey: Held]) -> Held? {
    guard key.port != 0,
      let old = spare.first(where: {
        $0.key.address == key.address && $0.value.socket.port == key.port
          && ($0.key.kind == key.kind || !key.isDatagram && !$0.key.isDatagram)
      })
    else { return nil }
    spare[old.key] = nil
    held[old.key] = nil
    tell("D" + old.key.name, -1)
    tell("K" + key.name, old.value.socket.descriptor)
    return old.value
  }

  /// Binds as wanted, else a picked port on the wanted address, else a picked port on 127.0.0.1.
  private func bind(_ key: SocketKey, _ bindings: inout [SocketKey: GateStatus.Binding]) -> Held? {
    let loopback: UInt32 = 0x7F00_0001
    guard let address = IPv4.parse(key.address) else {
      bindings[key] = GateStatus.Binding(
        id: key.id, address: nil, port: nil, error: "not an IPv4 address: \(key.address)")
      return nil
    }
    var note: String?
    for (number, port) in choices(key, address, loopback) {
      var bound: UInt16 = 0
      let descriptor = key.isDatagram ? gate_udp_listen(number, port, &bound) : gate_listen(number, port, &bound)
      if descriptor >= 0 {
        tell("K" + key.name, descriptor)
        return Held(
          socket: BoundSocket(id: nextID(), descriptor: descriptor, address: number, port: bound), note: note)
      }
      if note == nil { note = "\(key.address):\(key.port): \(String(cString: strerror(-descriptor)))" }
    }
    bindings[key] = GateStatus.Binding(id: key.id, address: nil, port: nil, error: note)
    return nil
  }

  /// Where to try. A listener's UDP sockets share one port, which is its TCP port too when it has one.
  private func choices(_ key: SocketKey, _ address: UInt32, _ loopback: UInt32) -> [(UInt32, UInt16)] {
    if key.isDatagram,
      let other = held.first(where: { $0.key.id == key.id && ($0.key.isDatagram || $0.key.kind == "listener") })
    {
      return [(other.value.socket.address, other.value.socket.port)]
    }
    return [(address, key.port), (address, 0), (loopback, 0)]
  }

  private func nextID() -> UInt64 {
    count += 1
    return count
  }

  private func tell(_ message: String, _ descriptor: Int32) {
    guard master >= 0 else { return }
    let bytes = Array(message.utf8.map { CChar(bitPattern: $0) })
    let result = gate_channel_send(master, bytes, bytes.count, descriptor)
    if result < 0 { GateLog.error("the master cannot be told of a socket", [("message", message)]) }
  }
}
