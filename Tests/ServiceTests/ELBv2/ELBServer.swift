// A tiny HTTP server and client on plain sockets; blocking work is on threads of its own.

import CastleTesting
import Foundation
import Glibc
import Synchronization

/// Answers every request with its name, or with what `answer` says.
final class ELBServer: Sendable {
  let name: String
  let port: UInt16
  private let listener: Int32
  private let state = Mutex((status: 200, requests: [String](), isStopped: false))
  private let pages = Mutex<[String: String]>([:])
  private let failing = Mutex<Set<String>>([])
  /// Requests for `/slow` wait here.
  private let gate = DispatchSemaphore(value: 0)

  init(_ name: String) throws {
    self.name = name
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && listen(descriptor, 128) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    guard isListening else { throw ELBTestFailure("cannot listen") }
    listener = descriptor
    port = UInt16(bigEndian: address.sin_port)
    Thread.detachNewThread { [self] in
      while true {
        let accepted = accept(descriptor, nil, nil)
        if accepted < 0 { return }
        Thread.detachNewThread { [self] in
          serve(accepted)
          close(accepted)
        }
      }
    }
  }

  deinit { stop() }

  func stop() {
    let isFirst = state.withLock { state in
      defer { state.isStopped = true }
      return !state.isStopped
    }
    guard isFirst else { return }
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
    gate.signal()
  }

  /// The status that health checks get from now on.
  func answer(_ status: Int) { state.withLock { $0.status = status } }
  /// What is answered at a path instead of the name, from now on.
  func answer(_ path: String, _ body: String?) { pages.withLock { $0[path] = body } }
  /// Requests for a path get 500 from now on.
  func fail(_ path: String) { failing.withLock { _ = $0.insert(path) } }
  /// Lets one slow request go on.
  func releaseSlow() { gate.signal() }
  /// The paths that were asked for, without the health checks.
  var paths: [String] { state.withLock { $0.requests } }

  private func serve(_ descriptor: Int32) {
    var buffer: [UInt8] = []
    while let head = ELBHTTP.readHead(descriptor, &buffer) {
      let path = String(head.split(separator: " ").dropFirst().first ?? "/")
      let isProbe = path == "/health"
      let status = state.withLock { state in
        if !isProbe { state.requests.append(path) }
        return isProbe ? state.status : failing.withLock { $0.contains(path) } ? 500 : 200
      }
      if path == "/slow" { gate.wait() }
      let body = pages.withLock { $0[path] } ?? name
      let text = "HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
      guard ELBHTTP.write(descriptor, text), !head.contains("Connection: close") else { return }
    }
  }
}

enum ELBHTTP {
  struct Answer: Sendable {
    var status: Int
    var headers: [String: String]
    var body: String
  }

  /// GET over a connection of its own.
  /// - Parameter authority: `127.20.0.1` or `127.0.0.1:8080`.
  /// - Parameter headers: whole lines, each with its end.
  static func get(
    _ authority: String, _ path: String = "/", host: String = "shop.test", headers: String = ""
  ) async throws -> Answer {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread {
        continuation.resume(with: Result { try blockingGet(authority, path, host, headers) })
      }
    }
  }

  private static func blockingGet(
    _ authority: String, _ path: String, _ host: String, _ more: String
  ) throws -> Answer {
    let parts = authority.split(separator: ":")
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = (parts.count > 1 ? UInt16(parts[1]) ?? 0 : 80).bigEndian
    address.sin_addr.s_addr = inet_addr(String(parts[0]))
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw ELBTestFailure("connect to \(authority): \(String(cString: strerror(errno)))") }
    guard write(descriptor, "GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\(more)Connection: close\r\n\r\n") else {
      throw ELBTestFailure("write")
    }
    var buffer: [UInt8] = []
    guard let head = readHead(descriptor, &buffer) else { throw ELBTestFailure("no answer from \(authority)") }
    while let more = read(descriptor) { buffer += more }
    let lines = head.split(separator: "\r\n")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let pair = line.split(separator: ":", maxSplits: 1)
      if pair.count == 2 { headers[pair[0].lowercased()] = pair[1].trimmingCharacters(in: .whitespaces) }
    }
    return Answer(
      status: Int(lines.first?.split(separator: " ").dropFirst().first ?? "") ?? 0, headers: headers,
      body: String(decoding: buffer, as: UTF8.self))
  }

  static func readHead(_ descriptor: Int32, _ buffer: inout [UInt8]) -> String? {
    while true {
      if let end = buffer.firstRange(of: [13, 10, 13, 10]) {
        let head = String(decoding: buffer[..<end.lowerBound], as: UTF8.self)
        buffer.removeFirst(end.upperBound)
        return head
      }
      guard let more = read(descriptor) else { return nil }
      buffer += more
    }
  }

  private static func read(_ descriptor: Int32) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 16 << 10)
    let count = recv(descriptor, &bytes, bytes.count, 0)
    return count > 0 ? Array(bytes[0..<count]) : nil
  }

  static func write(_ descriptor: Int32, _ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
  }
}

/// Programs beside the tests: curl, openssl.
enum ELBProgram {
  /// What a program prints.
  static func run(_ arguments: [String]) async throws -> (status: Int, body: String) {
    let ended = try await Program.run(arguments)
    return (ended.status, String(decoding: ended.output, as: UTF8.self))
  }
}
