// The master process: holds the control socket and all listening sockets, and keeps a worker running. It knows nothing
// of HTTP or of the configuration, so there is little in it that could fail.
import CLinux
import Glibc

/// Starts workers (this same program with `--worker`), gives them the sockets, and replaces one that dies at once.
/// Connections that arrive meanwhile wait in the listeners' backlogs.
public final class GateMaster {
  private let arguments: [String]
  private let socketPath: String
  private let drainTime: Double
  private var held: [String: Int32] = [:]
  private var worker: Int32 = 0
  private var channel: Int32 = -1
  private var startedAt: UInt64 = 0
  private var quickDeaths = 0
  private var isEnding = false

  /// - Parameters:
  ///   - arguments: what the worker is started with; `--worker` and its channel are added.
  ///   - socketPath: where the control plane connects.
  ///   - drainTime: seconds that the worker has to end by itself.
  public init(arguments: [String], socketPath: String, drainTime: Double) {
    self.arguments = arguments
    self.socketPath = socketPath
    self.drainTime = drainTime
  }

  /// Runs until SIGTERM or SIGINT.
  public func run() throws(GateFailure) {
    let control = gate_unix_listen(socketPath)
    if control < 0 { throw GateFailure("the socket \(socketPath)", code: -control) }
    held["control"] = control
    let signals = gate_signals()
    if signals < 0 { throw GateFailure("signalfd", code: -signals) }
    try start()
    var endBy: UInt64 = .max
    while worker != 0 || !isEnding {
      var polled = [
        pollfd(fd: signals, events: Int16(POLLIN), revents: 0), pollfd(fd: channel, events: Int16(POLLIN), revents: 0),
      ]
      let timeout: Int32 = isEnding ? 100 : (worker == 0 ? pause : -1)
      _ = poll(&polled, 2, timeout)
      if polled[1].revents != 0 { receive() }
      while true {
        let signal = gate_next_signal(signals)
        if signal == 0 { break }
        if signal == SIGTERM || signal == SIGINT, !isEnding {
          isEnding = true
          endBy = gate_now() + UInt64((drainTime + 2) * 1e6)
          if worker != 0 { kill(worker, SIGTERM) }
        }
      }
      reap()
      if worker == 0, !isEnding, gate_now() >= startedAt + UInt64(pause) * 1000 { try start() }
      if isEnding, worker != 0, gate_now() > endBy { kill(worker, SIGKILL) }
    }
    unlink(socketPath)
  }

  /// Milliseconds to wait before the next start: none, unless workers die as soon as they start.
  private var pause: Int32 { quickDeaths < 2 ? 0 : min(100 << Int32(min(quickDeaths - 2, 5)), 2000) }

  private func start() throws(GateFailure) {
    var child: Int32 = -1
    let result = gate_channel(&channel, &child)
    if result < 0 { throw GateFailure("socketpair", code: -result) }
    let texts = ["castle-gate"] + arguments + ["--worker", "\(child)"]
    var pointers: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
    pointers.append(nil)
    worker = gate_spawn_self(pointers, child)
    for pointer in pointers { free(pointer) }
    close(child)
    startedAt = gate_now()
    if worker < 0 {
      let code = -worker
      worker = 0
      throw GateFailure("fork", code: code)
    }
    for (name, descriptor) in held { send("F" + name, descriptor) }
    send("E", -1)
  }

  private func send(_ message: String, _ descriptor: Int32) {
    let bytes = message.utf8.map { CChar(bitPattern: $0) }
    // A worker that dies meanwhile is noticed by its exit.
    _ = gate_channel_send(channel, bytes, bytes.count, descriptor)
  }

  /// A worker gives a socket to hold, or no longer needs one.
  private func receive() {
    var buffer = [CChar](repeating: 0, count: 4096)
    var descriptor: Int32 = -1
    let count = gate_channel_receive(channel, &buffer, buffer.count, &descriptor)
    if count <= 0 {
      close(channel)
      channel = -1
      return
    }
    let name = String(decoding: buffer[1..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    if buffer[0] == CChar(UInt8(ascii: "K")), descriptor >= 0 {
      if let old = held.updateValue(descriptor, forKey: name) { close(old) }
    } else if buffer[0] == CChar(UInt8(ascii: "D")) {
      if let old = held.removeValue(forKey: name) { close(old) }
    }
  }

  private func reap() {
    guard worker != 0 else { return }
    var status: Int32 = 0
    guard gate_reap(worker, &status) != 0 else { return }
    // What it had said before it died still counts.
    while channel >= 0 { receive() }
    let lived = gate_now() - startedAt
    quickDeaths = lived < 1_000_000 ? quickDeaths + 1 : 0
    if !isEnding {
      GateLog.error("the worker died and is started again", [("worker", "\(worker)"), ("status", "\(status)")])
    }
    worker = 0
  }
}
