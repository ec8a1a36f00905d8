// Threads, raw sockets and a small HTTP server for the tests. Blocking work runs on threads of its own, never on the
// cooperative pool.
import Glibc
import Synchronization
import Testing

@testable import GateCore

struct TestFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Runs blocking work on a new thread.
func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    startThread { continuation.resume(with: Result { try work() }) }
  }
}

private final class ThreadBody: Sendable {
  let work: @Sendable () -> Void
  init(_ work: @escaping @Sendable () -> Void) { self.work = work }
}

func startThread(_ work: @escaping @Sendable () -> Void) {
  let own = Unmanaged.passRetained(ThreadBody(work))
  var thread = pthread_t()
  let result = pthread_create(
    &thread, nil,
    { raw in
      if let raw { Unmanaged<ThreadBody>.fromOpaque(raw).takeRetainedValue().work() }
      return nil
    }, own.toOpaque())
  precondition(result == 0, "no thread")
  pthread_detach(thread)
}

/// A blocking TCP connection to 127.0.0.1 that gives up after ten seconds without a byte.
final class RawSocket: Sendable {
  let descriptor: Int32

  init(descriptor: Int32) {
    self.descriptor = descriptor
    // Only so that a test ends; how long an answer takes is never what it asks.
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  /// - Parameter source: the address to connect from; any without.
  convenience init(port: UInt16, address: String = "127.0.0.1", from source: String? = nil) throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw TestFailure("socket") }
    self.init(descriptor: descriptor)
    var name = sockaddr_in()
    if let source {
      name.sin_family = sa_family_t(AF_INET)
      name.sin_addr.s_addr = inet_addr(source)
      let result = withUnsafePointer(to: &name) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      guard result == 0 else { throw TestFailure("bind to \(source)") }
    }
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = inet_addr(address)
    let result = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw TestFailure("connect to \(port): \(String(cString: strerror(errno)))") }
  }

  deinit { close(descriptor) }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw TestFailure("send: \(String(cString: strerror(errno)))") }
      sent += count
    }
  }

  /// Empty at the end.
  func receive(_ capacity: Int = 64 << 10) throws -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: capacity)
    let count = recv(descriptor, &buffer, capacity, 0)
    guard count >= 0 else { throw TestFailure("receive: \(String(cString: strerror(errno)))") }
    return Array(buffer[0..<count])
  }

  /// The port on this side.
  func ownPort() throws -> UInt16 {
    var name = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    guard result == 0 else { throw TestFailure("getsockname") }
    return UInt16(bigEndian: name.sin_port)
  }

  func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Closes with a reset.
  func setReset() {
    var value = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
  }

  func receiveToEnd() throws -> String {
    var all: [UInt8] = []
    while true {
      let bytes = try receive()
      if bytes.isEmpty { return String(decoding: all, as: UTF8.self) }
      all += bytes
    }
  }
}

/// A request or response, read from a socket.
struct Message: Sendable {
  var line: String
  var headers: [(name: String, value: String)]
  var body: [UInt8]
  /// The body before its chunks were taken apart.
  var isChunked = false

  subscript(name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
  func all(_ name: String) -> [String] { headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value) }
  var text: String { String(decoding: body, as: UTF8.self) }
  var status: Int { Int(line.split(separator: " ").dropFirst().first ?? "") ?? 0 }
  var method: String { String(line.split(separator: " ").first ?? "") }
  var target: String { String(line.split(separator: " ").dropFirst().first ?? "") }
}

/// Reads messages one after another, keeping what was read ahead.
final class MessageReader {
  private let receive: () throws -> [UInt8]
  var buffer: [UInt8] = []

  convenience init(_ socket: RawSocket) { self.init { try socket.receive() } }

  /// - Parameter receive: gives the next bytes, none at the end.
  init(_ receive: @escaping () throws -> [UInt8]) { self.receive = receive }

  /// nil at an orderly end between messages.
  func next(toHEAD: Bool = false) throws -> Message? {
    guard let head = try head() else { return nil }
    var message = head
    if toHEAD || message.line.hasPrefix("HTTP") && [100, 101, 204, 304].contains(message.status) { return message }
    if message["Transfer-Encoding"]?.lowercased() == "chunked" {
      message.isChunked = true
      message.body = try chunks()
    } else if let length = message["Content-Length"].flatMap({ Int($0) }) {
      message.body = try take(length)
    } else if message.line.hasPrefix("HTTP") {
      while try more() {}
      message.body = buffer
      buffer = []
    }
    return message
  }

  func head() throws -> Message? {
    while true {
      if let end = find([13, 10, 13, 10]) {
        let lines = String(decoding: buffer[0..<end], as: UTF8.self).split(separator: "\r\n")
        buffer.removeFirst(end + 4)
        let headers = lines.dropFirst().map { line in
          let parts = line.split(separator: ":", maxSplits: 1)
          return (name: String(parts[0]), value: parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
        }
        return Message(line: String(lines.first ?? ""), headers: headers, body: [])
      }
      if try !more() {
        if buffer.isEmpty { return nil }
        throw TestFailure("the connection ended inside a head: \(String(decoding: buffer, as: UTF8.self))")
      }
    }
  }

  private func find(_ pattern: [UInt8]) -> Int? {
    guard buffer.count >= pattern.count else { return nil }
    return (0...(buffer.count - pattern.count)).first { start in
      pattern.indices.allSatisfy { buffer[start + $0] == pattern[$0] }
    }
  }

  private func more() throws -> Bool {
    let bytes = try receive()
    buffer += bytes
    return !bytes.isEmpty
  }

  func take(_ count: Int) throws -> [UInt8] {
    while buffer.count < count {
      if try !more() { throw TestFailure("the connection ended inside a body, at \(buffer.count) of \(count)") }
    }
    defer { buffer.removeFirst(count) }
    return Array(buffer[0..<count])
  }

  private func chunks() throws -> [UInt8] {
    var body: [UInt8] = []
    while true {
      while find([13, 10]) == nil { if try !more() { throw TestFailure("the connection ended inside a chunk") } }
      let end = find([13, 10]) ?? 0
      let size = Int(String(decoding: buffer[0..<end], as: UTF8.self).split(separator: ";").first ?? "", radix: 16)
      guard let size else { throw TestFailure("a bad chunk size") }
      _ = try take(end + 2)
      if size == 0 {
        while true {
          while find([13, 10]) == nil { if try !more() { throw TestFailure("the connection ended in trailers") } }
          let end = find([13, 10]) ?? 0
          _ = try take(end + 2)
          if end == 0 { return body }
        }
      }
      body += try take(size)
      _ = try take(2)
    }
  }
}

/// A server on a port of the system's choice; each connection is served by a thread of its own. Ends when released.
final class TestServer: Sendable {
  /// What the server's threads share.
  final class Core: Sendable {
    fileprivate let state = Mutex((connections: 0, requests: 0, open: [Int32](), isStopped: false))
    fileprivate let listener: Int32

    fileprivate init(listener: Int32) { self.listener = listener }

    deinit { close(listener) }

    var connections: Int { state.withLock { $0.connections } }
    func countRequest() { state.withLock { $0.requests += 1 } }

    fileprivate func accept(_ serve: @escaping @Sendable (RawSocket, Core) throws -> Void) {
      while true {
        let accepted = Glibc.accept(listener, nil, nil)
        if accepted < 0 { return }
        let socket = RawSocket(descriptor: accepted)
        let refuse = state.withLock { state in
          state.connections += 1
          state.open.append(accepted)
          return state.isStopped
        }
        if refuse { continue }
        startThread { [self] in
          // A test's handler ends with its connection; what it threw shows in the test's own expectations.
          do { try serve(socket, self) } catch {}
          state.withLock { state in state.open.removeAll { $0 == socket.descriptor } }
        }
      }
    }
  }

  let port: UInt16
  private let core: Core

  /// Serves each connection with the closure.
  init(connection serve: @escaping @Sendable (RawSocket, Core) throws -> Void) throws {
    var bound: (descriptor: Int32, port: UInt16)?
    // A port that the system picks is free again when its socket stops listening; one that is asked for stays taken.
    // Somebody else may take it between the two.
    for _ in 0..<20 where bound == nil {
      guard let picked = Self.bind(port: 0) else { break }
      close(picked.descriptor)
      bound = Self.bind(port: picked.port)
    }
    guard let bound, listen(bound.descriptor, 512) == 0 else {
      throw TestFailure("cannot listen: \(String(cString: strerror(errno)))")
    }
    port = bound.port
    let descriptor = bound.descriptor
    let core = Core(listener: descriptor)
    self.core = core
    startThread { core.accept(serve) }
  }

  /// A socket at a port, 0 for one that the system picks; nil when it is taken.
  private static func bind(port: UInt16) -> (descriptor: Int32, port: UInt16)? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
        Glibc.bind(descriptor, name, length) == 0 && getsockname(descriptor, name, &length) == 0
      }
    }
    if isBound { return (descriptor, UInt16(bigEndian: name.sin_port)) }
    close(descriptor)
    return nil
  }

  /// Answers each request with the closure's bytes; an empty answer closes the connection.
  convenience init(request answer: @escaping @Sendable (Message) throws -> String) throws {
    try self.init { socket, core in
      let reader = MessageReader(socket)
      while let message = try reader.next() {
        core.countRequest()
        let bytes = try answer(message)
        if bytes.isEmpty { return }
        try socket.send(bytes)
      }
    }
  }

  deinit { kill() }

  var connections: Int { core.connections }
  var requests: Int { core.state.withLock { $0.requests } }

  /// Refuses new connections and ends the open ones, as when the process is killed. The port stays taken until the
  /// server is released, so that nobody else can get it.
  func kill() {
    core.state.withLock { state in
      if state.isStopped { return }
      state.isStopped = true
      shutdown(core.listener, Int32(SHUT_RDWR))
      for descriptor in state.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
  }
}

/// The answer most tests need.
func ok(_ body: String, _ headers: String = "") -> String {
  "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
}

func temporaryFolder() throws -> String {
  var template = Array("/tmp/castle-gate-test-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw TestFailure("no temporary folder") }
  return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func removeFolder(_ path: String, files: [String]) {
  for file in files { unlink(path + "/" + file) }
  rmdir(path)
}
