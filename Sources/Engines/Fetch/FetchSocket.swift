// A connection that waits no longer than until a point in time, however slowly the other side goes.
import Glibc

/// A socket of one thread; closed with its last user.
final class FetchSocket: FetchStream {
  let descriptor: Int32
  /// On the monotonic clock, in microseconds.
  private let deadline: UInt64

  static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
  }

  /// Connects.
  init(_ address: sockaddr_in, deadline: UInt64) throws(HTTPFetch.Failure) {
    self.deadline = deadline
    descriptor = socket(
      AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { throw .unreachable(String(cString: strerror(errno))) }
    var address = address
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result == 0 { return }
    guard errno == EINPROGRESS else { throw .unreachable(String(cString: strerror(errno))) }
    do { try wait(for: POLLOUT) } catch { throw .problem(error) }
    var error: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
    if error != 0 { throw .unreachable(String(cString: strerror(error))) }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Returns when the socket is ready for `POLLIN` or `POLLOUT`.
  func wait(for events: Int32) throws(FetchProblem) {
    while true {
      let now = Self.now()
      guard now < deadline else { throw .timedOut }
      var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
      let count = poll(&entry, 1, Int32(clamping: (deadline - now) / 1000 + 1))
      if count > 0 { return }
      if count < 0, errno != EINTR { throw .failed(String(cString: strerror(errno))) }
    }
  }

  func send(_ bytes: [UInt8]) throws(FetchProblem) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        sent += count
      } else if count < 0, errno == EAGAIN {
        try wait(for: POLLOUT)
      } else {
        throw .failed("the request cannot be sent: \(String(cString: strerror(errno)))")
      }
    }
  }

  func receive(into buffer: inout [UInt8]) throws(FetchProblem) -> Int {
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count >= 0 { return count }
      guard errno == EAGAIN else { throw .failed(String(cString: strerror(errno))) }
      try wait(for: POLLIN)
    }
  }
}
