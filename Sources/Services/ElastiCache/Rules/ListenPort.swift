// The port that a server gets on its own address: the wanted one, unless something on this machine holds it everywhere.

import Glibc
import Supervisor

enum ListenPort {
  /// - Throws: `SupervisorError.file` when no port is to be had.
  static func choose(_ address: String, preferred: Int) throws -> Int {
    isFree(address, preferred) ? preferred : try FreePort.on(address)
  }

  private static func isFree(_ address: String, _ port: Int) -> Bool {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard fd >= 0, let port = UInt16(exactly: port) else { return false }
    defer { close(fd) }
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
