// Files, with errors that say which call failed on which path. Everything here blocks: call it from BlockingThreads.

import Glibc

/// A system call that failed.
public struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The call, such as `open`.
  public var call: String
  public var path: String
  /// The `errno`.
  public var code: Int32

  public init(_ call: String, _ path: String, _ code: Int32 = errno) {
    self.call = call
    self.path = path
    self.code = code
  }

  public var description: String { "\(call) \(path): \(String(cString: strerror(code)))" }
  public var isNotFound: Bool { code == ENOENT }
}

/// An open file, closed when the object goes away. `pread` and `write` may be called from any one thread at a time.
public final class OpenFile: Sendable {
  public let path: String
  private let descriptor: Int32
  private let isLock: Bool

  private init(_ path: String, _ flags: Int32, isLock: Bool = false) throws {
    let fd = open(path, flags | O_CLOEXEC, 0o600)
    if fd < 0 { throw FileError("open", path) }
    self.path = path
    self.descriptor = fd
    self.isLock = isLock
  }

  deinit {
    // A program that is being started at this moment has the descriptor too, until it is another program: closing ours
    // would leave the lock with it.
    if isLock { unlock() }
    close(descriptor)
  }

  /// Makes a new file, mode 0600; fails when it is there already.
  public static func create(_ path: String) throws -> OpenFile { try OpenFile(path, O_WRONLY | O_CREAT | O_EXCL) }
  public static func read(_ path: String) throws -> OpenFile { try OpenFile(path, O_RDONLY) }

  /// Takes an exclusive lock on the file (made if missing) that ends with the process; nil when another holds it.
  public static func lock(_ path: String) throws -> OpenFile? {
    let file = try OpenFile(path, O_RDWR | O_CREAT, isLock: true)
    if flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 { return file }
    if errno == EWOULDBLOCK { return nil }
    throw FileError("flock", path)
  }

  /// Lets go of a lock before the object goes away.
  public func unlock() { _ = flock(descriptor, LOCK_UN) }

  /// Appends all of it.
  public func write(_ bytes: UnsafeRawBufferPointer) throws {
    var done = 0
    while done < bytes.count {
      let n = Glibc.write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
      if n < 0 {
        if errno == EINTR { continue }
        throw FileError("write", path)
      }
      done += n
    }
  }

  /// Fills the buffer from an offset; the number of bytes read is smaller only at the end of the file.
  public func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
    var done = 0
    while done < buffer.count {
      let n = pread(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(offset + done))
      if n < 0 {
        if errno == EINTR { continue }
        throw FileError("pread", path)
      }
      if n == 0 { break }
      done += n
    }
    return done
  }

  /// The bytes are on the disk when this returns.
  public func sync() throws { if fsync(descriptor) != 0 { throw FileError("fsync", path) } }
}

/// Folders and names.
public enum Files {
  /// Makes a folder (mode 0700) and those above it; one that is there already is fine.
  public static func makeDirectory(_ path: String) throws {
    if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
      throw FileError("mkdir", path)
    }
    try makeDirectory(String(path[..<slash]))
    if mkdir(path, 0o700) != 0, errno != EEXIST { throw FileError("mkdir", path) }
  }

  /// Names made or removed in the folder are on the disk when this returns.
  public static func syncDirectory(_ path: String) throws {
    let fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if fd < 0 { throw FileError("open", path) }
    defer { close(fd) }
    if fsync(fd) != 0 { throw FileError("fsync", path) }
  }

  public static func rename(_ from: String, to: String) throws {
    if Glibc.rename(from, to) != 0 { throw FileError("rename", from) }
  }

  /// Removes a file; one that is not there is fine.
  public static func remove(_ path: String) throws {
    if unlink(path) != 0, errno != ENOENT { throw FileError("unlink", path) }
  }

  /// Names in a folder with whether each is a folder, in no order.
  public static func list(_ path: String) throws -> [(name: String, isDirectory: Bool)] {
    guard let folder = opendir(path) else { throw FileError("opendir", path) }
    defer { closedir(folder) }
    var names: [(name: String, isDirectory: Bool)] = []
    while let entry = readdir(folder) {
      let isDirectory = Int(entry.pointee.d_type) == Int(DT_DIR)
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append((name, isDirectory)) }
    }
    return names
  }

  /// Removes a folder and everything in it.
  public static func removeTree(_ path: String) throws {
    for (name, isDirectory) in try list(path) {
      let child = path + "/" + name
      if isDirectory { try removeTree(child) } else { try remove(child) }
    }
    if rmdir(path) != 0, errno != ENOENT { throw FileError("rmdir", path) }
  }
}
