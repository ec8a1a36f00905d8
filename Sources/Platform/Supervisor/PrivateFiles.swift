// Files and directories whose modes and owners matter: credentials, configurations, data directories.
// All of it blocks for as long as a disk does: call it from a BlockingQueue.

import Glibc

public enum PrivateFiles {
  /// Writes a file whole or not at all: temporary file beside it, flush to disk, rename.
  /// - Parameters:
  ///   - mode: 0600 unless given.
  ///   - owner: who gets it, when this process is root; `nil` leaves it ours.
  /// - Throws: `SupervisorError.file`.
  public static func write(
    _ bytes: some Collection<UInt8>, to path: String, mode: mode_t = 0o600, owner: SystemUser? = nil
  ) throws(SupervisorError) {
    let temporary = path + ".new"
    unlink(temporary)
    // Made for us alone, so that nobody reads it before it has its owner.
    let fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard fd >= 0 else { throw .file(path: path, errno: errno) }
    var code: Int32 = 0
    let array = Array(bytes)
    var written = 0
    while written < array.count && code == 0 {
      let n = array.withUnsafeBytes { Glibc.write(fd, $0.baseAddress.map { $0 + written }, array.count - written) }
      if n > 0 { written += n } else if n == 0 || errno != EINTR { code = n == 0 ? EIO : errno }
    }
    if code == 0 && fchmod(fd, mode) != 0 { code = errno }
    if code == 0, let owner, SystemUser.isRoot, fchown(fd, owner.uid, owner.gid) != 0 { code = errno }
    if code == 0 && fsync(fd) != 0 { code = errno }
    if close(fd) != 0 && code == 0 { code = errno }
    if code == 0 && rename(temporary, path) != 0 { code = errno }
    guard code == 0 else {
      unlink(temporary)
      throw .file(path: path, errno: code)
    }
    flushDirectory(of: path)
  }

  /// Makes a directory and those above it that are missing; sets the mode and owner of the last one.
  /// Those above get 0711, so that an engine running as another user can reach what is its own.
  public static func makeDirectory(
    _ path: String, mode: mode_t = 0o700, owner: SystemUser? = nil
  ) throws(SupervisorError) {
    var soFar = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      soFar += "/" + part
      if mkdir(soFar, 0o711) == 0 {
        chmod(soFar, 0o711)
      } else if errno != EEXIST {
        throw .file(path: soFar, errno: errno)
      }
    }
    if chmod(path, mode) != 0 { throw .file(path: path, errno: errno) }
    if let owner, SystemUser.isRoot, chown(path, owner.uid, owner.gid) != 0 { throw .file(path: path, errno: errno) }
  }

  /// The bytes of a file, or `nil` when there is none.
  public static func read(_ path: String) throws(SupervisorError) -> [UInt8]? {
    let fd = open(path, O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw .file(path: path, errno: errno)
    }
    defer { close(fd) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while true {
      let n = Glibc.read(fd, &buffer, buffer.count)
      if n > 0 {
        bytes.append(contentsOf: buffer[..<n])
      } else if n == 0 {
        return bytes
      } else if errno != EINTR {
        throw .file(path: path, errno: errno)
      }
    }
  }

  /// The last bytes of a file as text, for error messages. Empty when it cannot be read.
  public static func tail(_ path: String, bytes count: Int = 4096) -> String {
    let fd = open(path, O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { return "" }
    defer { close(fd) }
    let size = lseek(fd, 0, SEEK_END)
    lseek(fd, max(0, size - off_t(count)), SEEK_SET)
    var buffer = [UInt8](repeating: 0, count: count)
    let n = Glibc.read(fd, &buffer, count)
    return String(decoding: buffer.prefix(max(0, n)), as: UTF8.self)
  }

  /// Whether something is at a path.
  public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Removes a file or a whole directory, without following links. Nothing there is fine.
  public static func remove(_ path: String) throws(SupervisorError) {
    var info = stat()
    guard lstat(path, &info) == 0 else {
      // A folder above may be something else by now.
      if errno == ENOENT || errno == ENOTDIR { return }
      throw .file(path: path, errno: errno)
    }
    if info.st_mode & S_IFMT == S_IFDIR {
      for name in try list(path) { try remove(path + "/" + name) }
      if rmdir(path) != 0 && errno != ENOENT { throw .file(path: path, errno: errno) }
    } else if unlink(path) != 0 && errno != ENOENT {
      throw .file(path: path, errno: errno)
    }
  }

  /// The names in a directory, sorted; empty when it does not exist.
  public static func list(_ path: String) throws(SupervisorError) -> [String] {
    guard let directory = opendir(path) else {
      if errno == ENOENT { return [] }
      throw .file(path: path, errno: errno)
    }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      // In place: the system gives as many bytes as the name has, and a copy would read all 256.
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Makes renames in a file's directory durable.
  static func flushDirectory(of path: String) {
    let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let fd = open(directory.isEmpty ? "/" : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard fd >= 0 else { return }
    fsync(fd)
    close(fd)
  }
}
