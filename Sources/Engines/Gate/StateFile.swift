// The last applied snapshot on disk, so that a restarted Gate serves before any control plane speaks to it.
import GateProtocol
import Glibc

/// A file that holds the last `apply` call as it came. It is replaced as a whole by a rename, so it survives the death
/// of the process at any moment; it is not forced to disk, because after a crash of the machine the targets are gone
/// too and the control plane applies anew.
struct StateFile {
  let path: String

  /// The stored snapshot; nil when there is none or it cannot be read.
  func load() -> GateSnapshot? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count <= 0 { break }
      bytes += buffer[0..<count]
    }
    do {
      if case .apply(let snapshot) = try GateFrame.decode(GateCall.self, from: bytes).request { return snapshot }
    } catch {
      GateLog.error("the state file is not readable and is ignored", [("path", path), ("reason", "\(error)")])
    }
    return nil
  }

  func store(_ call: [UInt8]) {
    let temporary = path + ".new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return complain("open") }
    // There are private keys in it: also a file that was there before with another mode is the owner's alone.
    fchmod(descriptor, 0o600)
    var written = 0
    while written < call.count {
      let count = call.withUnsafeBytes { write(descriptor, $0.baseAddress.map { $0 + written }, call.count - written) }
      if count < 0 && errno == EINTR { continue }
      if count <= 0 {
        close(descriptor)
        return complain("write")
      }
      written += count
    }
    close(descriptor)
    if rename(temporary, path) != 0 { complain("rename") }
  }

  private func complain(_ step: String) {
    GateLog.error(
      "the state file cannot be written",
      [("path", path), ("step", step), ("reason", String(cString: strerror(errno)))])
  }
}
