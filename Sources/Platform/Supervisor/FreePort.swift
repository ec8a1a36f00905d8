// Ports that nobody uses.

import CLinux

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
}
