// The same limits in the kernel's packet filter, in a table of our own. Only when asked for (`--nftables`): a host's
// firewall is its owner's, and nothing here touches any table but ours.
import CLinux
import Glibc
import Synchronization

/// What is written to nftables. Pure text, so that it can be read and tested anywhere.
struct NetfilterTable: Equatable, Sendable {
  /// Bounds for one source, generous: they are for what no client does.
  static let connectionsMax = 2048
  static let handshakesPerSecond = 500
  static let handshakesBurst = 1000
  static let datagramsPerSecond = 50_000
  static let datagramsBurst = 100_000

  struct Place: Hashable, Sendable {
    var address: UInt32
    var port: UInt16
    var isDatagram = false
  }

  var name: String
  /// Where load balancers listen.
  var places: [Place] = []
  /// Sources that get nothing, with seconds left.
  var held: [UInt32: Int] = [:]

  /// A name for the table of the Gate with this control socket: the next Gate on it finds and replaces what a killed
  /// one left.
  static func name(for socketPath: String) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in socketPath.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return "castle_gate_" + String(hash, radix: 16)
  }

  /// Replaces the table as a whole, in one transaction.
  var rules: String {
    guard !places.isEmpty else { return removal }
    let elements = held.sorted { $0.key < $1.key }
      .map { "\(IPv4.text($0.key)) timeout \(max(1, $0.value))s" }.joined(separator: ", ")
    return removal + """
      table inet \(name) {
        set held4 {
          type ipv4_addr
          flags timeout
          size 65536
          \(elements.isEmpty ? "" : "elements = { \(elements) }")
        }
        set connections4 {
          type ipv4_addr
          flags dynamic
          size 65536
        }
        chain early {
          type filter hook prerouting priority raw; policy accept;
          \(early)
        }
        chain arriving {
          type filter hook input priority filter; policy accept;
          \(arriving)
        }
      }

      """
  }

  /// Matches what comes to our sockets of one kind; nil when there are none.
  private func match(datagrams: Bool) -> String? {
    let sorted = places.filter { $0.isDatagram == datagrams }.sorted { ($0.address, $0.port) < ($1.address, $1.port) }
    if sorted.isEmpty { return nil }
    let list = sorted.map { "\(IPv4.text($0.address)) . \($0.port)" }.joined(separator: ", ")
    return "ip daddr . \(datagrams ? "udp" : "tcp") dport { \(list) }"
  }

  private var early: String {
    var lines: [String] = []
    if let ours = match(datagrams: false) {
      lines.append("\(ours) ip saddr @held4 counter drop")
      lines.append(
        "\(ours) tcp flags & (fin | syn | rst | ack) == syn meter syn4 { ip saddr limit rate over "
          + "\(Self.handshakesPerSecond)/second burst \(Self.handshakesBurst) packets } counter drop")
    }
    if let ours = match(datagrams: true) {
      lines.append("\(ours) ip saddr @held4 counter drop")
      lines.append(
        "\(ours) meter udp4 { ip saddr limit rate over \(Self.datagramsPerSecond)/second burst "
          + "\(Self.datagramsBurst) packets } counter drop")
    }
    return lines.joined(separator: "\n    ")
  }

  private var arriving: String {
    guard let ours = match(datagrams: false) else { return "" }
    return "\(ours) ct state new add @connections4 { ip saddr ct count over \(Self.connectionsMax) } "
      + "counter reject with tcp reset"
  }

  /// Removes the table, also when there is none.
  var removal: String { "table inet \(name) {}\ndelete table inet \(name)\n" }
}

/// Writes the table with the program nft, on a thread of its own: it takes its time, and the control thread has none.
final class Netfilter: Sendable {
  private struct State {
    var wanted: NetfilterTable?
    var isRemoved = false
  }

  private let state = Mutex(State())
  private let wake = Counter()
  private let ended = Counter()
  let name: String

  init(name: String) {
    self.name = name
    let own = Unmanaged.passRetained(self)
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { raw in
        if let raw { Unmanaged<Netfilter>.fromOpaque(raw).takeRetainedValue().run() }
        return nil
      }, own.toOpaque())
    if result == 0 { pthread_detach(thread) } else { own.release() }
  }

  /// Makes the table this; of several in a row only the last is written.
  func set(_ table: NetfilterTable) {
    state.withLock { $0.wanted = table }
    wake.signal()
  }

  /// Removes the table and returns when it is gone.
  func remove() {
    state.withLock { $0.isRemoved = true }
    wake.signal()
    ended.wait()
  }

  private func run() {
    while true {
      wake.wait()
      let (table, isRemoved) = state.withLock { state in
        defer { state.wanted = nil }
        return (state.wanted, state.isRemoved)
      }
      if isRemoved {
        write(NetfilterTable(name: name).removal)
        return ended.signal()
      }
      if let table { write(table.rules) }
    }
  }

  private func write(_ text: String) {
    let result = text.withCString { gate_run_nft($0, strlen($0)) }
    if result != 0 { GateLog.error("nftables did not take our table", [("table", name), ("status", "\(result)")]) }
  }
}

/// A counting semaphore.
private final class Counter: @unchecked Sendable {
  // A semaphore is made for use by many threads; its memory is never moved.
  private let handle = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() { sem_init(handle, 0, 0) }

  deinit {
    sem_destroy(handle)
    handle.deallocate()
  }

  func signal() { sem_post(handle) }
  func wait() { while sem_wait(handle) != 0 {} }
}
