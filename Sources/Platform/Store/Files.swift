// The store's files beside the database: the lock that keeps a second server out, and the root key.

import Crypto
import Disk
import FoundationEssentials
import Glibc

/// `store.lock`, held for as long as the file is open; the kernel lets go of it when the process dies, however it dies.
func lockDirectory(_ directory: String) throws -> OpenFile {
  guard let file = try named({ try OpenFile.lock("\(directory)/store.lock") }) else {
    throw StoreError(.alreadyOpen, "The store in \(directory) is open already, here or in another process.")
  }
  return file
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
func syncDirectory(_ directory: String) throws { try named { try Disk.Files.syncDirectory(directory) } }

/// Failed system calls as the store's own errors.
private func named<T>(_ body: () throws -> T) throws -> T {
  do { return try body() } catch let error as FileError { throw StoreError(.system, "Cannot \(error).") }
}

private func systemError(_ action: String, _ path: String) -> StoreError {
  StoreError(.system, "Cannot \(action) \(path): \(String(cString: strerror(errno))).")
}
