// The listening socket that a process is started with, as sd_listen_fds(3) describes it.

import Glibc

/// Where the endpoint listens.
public enum EdgeListener: Sendable, Hashable {
  /// An address of this machine; port 0 lets the system pick.
  case address(host: String, port: Int)
  /// A socket that listens already: whoever started this process holds it too, so that connections wait in its queue
  /// while this process is being replaced.
  case inherited(descriptor: Int32)
}

/// A socket handed over by the process's parent.
public enum InheritedSocket {
  /// The first descriptor that is handed over: SD_LISTEN_FDS_START.
  private static let first: Int32 = 3

  /// The socket, when `LISTEN_PID` says that it is meant for this process. Children of this process do not get it.
  public static func take() -> Int32? {
    guard let pid = getenv("LISTEN_PID"), Int32(String(cString: pid)) == getpid(),
      let count = getenv("LISTEN_FDS"), String(cString: count) == "1",
      fcntl(first, F_SETFD, FD_CLOEXEC) == 0
    else { return nil }
    unsetenv("LISTEN_PID")
    unsetenv("LISTEN_FDS")
    return first
  }
}
