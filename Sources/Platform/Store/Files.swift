// The store's files beside the database: the lock that keeps a second server out, and the root key.

import Crypto
import FoundationEssentials
import Glibc

/// Holds `store.lock` for as long as it lives; the kernel lets go of it when the process dies, however it dies.
final class DirectoryLock: Sendable {
  private let descriptor: CInt

  init(directory: String) throws {
    let path = "\(directory)/store.lock"
    descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw systemError("open", path) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let inUse = errno == EWOULDBLOCK
      let failure = systemError("lock", path)
      close(descriptor)
      throw inUse
        ? StoreError(.alreadyOpen, "The store in \(directory) is open already, here or in another process.") : failure
    }
  }

  deinit { close(descriptor) }
}

/// The root key file: 32 random bytes, readable by its owner only.
enum RootKey {
  static let byteCount = 32
  static let fileName = "root.key"

  /// Reads the key; nil when there is no file.
  static func read(directory: String) throws -> SymmetricKey? {
    let path = "\(directory)/\(fileName)"
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw systemError("open", path)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw systemError("stat", path) }
    guard status.st_mode & 0o077 == 0 else {
      throw StoreError(.rootKeyExposed, "\(path) can be read by others; its mode has to be 0600.")
    }
    var bytes = [UInt8](repeating: 0, count: byteCount + 1)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    guard count >= 0 else { throw systemError("read", path) }
    guard count == byteCount else {
      throw StoreError(.rootKeyMalformed, "\(path) is not a root key: it has to have \(byteCount) bytes.")
    }
    return SymmetricKey(data: bytes.prefix(byteCount))
  }

  /// Makes a new key, durable before it is used: temporary file, fsync, rename, fsync of the directory.
  static func create(directory: String) throws -> SymmetricKey {
    let key = SymmetricKey(size: .bits256)
    let path = "\(directory)/\(fileName)"
    let temporary = path + ".new"
    let descriptor = Glibc.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw systemError("create", temporary) }
    defer { close(descriptor) }
    let bytes = key.withUnsafeBytes { Array($0) }
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
      throw systemError("write", temporary)
    }
    guard rename(temporary, path) == 0 else { throw systemError("rename", temporary) }
    try syncDirectory(directory)
    return key
  }
}

/// Makes new names in a directory durable.
func syncDirectory(_ directory: String) throws {
  let descriptor = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { throw systemError("open", directory) }
  defer { close(descriptor) }
  guard fsync(descriptor) == 0 else { throw systemError("sync", directory) }
}

private func systemError(_ action: String, _ path: String) -> StoreError {
  StoreError(.system, "Cannot \(action) \(path): \(String(cString: strerror(errno))).")
}
