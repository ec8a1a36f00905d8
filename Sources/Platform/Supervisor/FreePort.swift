// Ports that nobody uses.

import CLinux
import Glibc

public enum FreePort {
  /// A TCP port that is free on an address, chosen by the kernel. Another program may take it before it is used: whoever
  /// binds it must be ready to ask for another one.
  /// - Parameter address: IPv4 or IPv6, usually somewhere in 127.0.0.0/8.
  /// - Throws: `SupervisorError.file` with the address as path.
  public static func on(_ address: String) throws(SupervisorError) -> Int {
    let port = castle_free_port(address)
    guard port > 0 else { throw .file(path: address, errno: -port) }
    return Int(port)
  }

  /// The wanted port, unless something on this machine holds it on that address or on all; then another one.
  /// - Parameter address: IPv4, the server's own.
  /// - Throws: `SupervisorError.file` when no port is to be had.
  public static func on(_ address: String, preferring port: Int) throws(SupervisorError) -> Int {
    isFree(address, port) ? port : try on(address)
  }

  private static func isFree(_ address: String, _ port: Int) -> Bool {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard fd >= 0 else { return false }
    defer { close(fd) }
    guard let port = UInt16(exactly: port) else { return false }
    var one: Int32 = 1
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    guard inet_pton(AF_INET, address, &name.sin_addr) == 1 else { return false }
    return withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    } == 0
  }
}
