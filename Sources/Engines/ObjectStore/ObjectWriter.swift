// Content on its way in: hashed, cut into blocks and written as it comes.

import AWSCore
import Crypto
import Disk
import FoundationEssentials
import Synchronization

/// A checksum that the caller wants computed as the bytes go by.
public protocol ContentDigest: Sendable {
  mutating func update(_ bytes: UnsafeRawBufferPointer)
  /// The digest's bytes, in the order in which they are written in base64.
  mutating func finish() -> [UInt8]
}

/// Content that is durable on the disk and not yet part of any object. Gone when it is dropped unused.
public final class StagedContent: Sendable {
  /// Bytes, before encryption.
  public let size: Int
  /// Of the bytes before encryption.
  public let md5: [UInt8]
  /// What the caller's digests came to: name → base64.
  public let checksums: [String: String]

  /// MD5 in lower-case hex.
  public var etag: String { hexadecimal(md5) }

  let file: BlobFile
  /// The stored form, when it goes into the index.
  let inline: [UInt8]?
  private let files: BlobFiles
  private let used = Mutex(false)

  init(size: Int, md5: [UInt8], checksums: [String: String], file: BlobFile, inline: [UInt8]?, files: BlobFiles) {
    self.size = size
    self.md5 = md5
    self.checksums = checksums
    self.file = file
    self.inline = inline
    self.files = files
  }

  deinit { if inline == nil, !used.withLock({ $0 }) { files.discard(file) } }

  /// Runs the one commit that makes this content part of an object.
  func use<T: Sendable>(_ commit: () async throws -> T) async throws -> T {
    let taken = used.withLock { used in
      defer { used = true }
      return used
    }
    if taken { throw ObjectStoreError.misuse("staged content is used twice") }
    do {
      return try await commit()
    } catch {
      used.withLock { $0 = false }
      throw error
    }
  }
}

/// Takes content in pieces and stages it. One call at a time.
public actor ObjectWriter {
  /// The bytes so far.
  public private(set) var size = 0
  private let encoder: ContentEncoder
  private let files: BlobFiles
  private let inlineLimit: Int
  private var pending: [UInt8] = []
  private var busy = false
  private var finished = false
  private static let flushSize = 4 * BlockFormat.blockSize

  init(_ encoder: ContentEncoder, _ files: BlobFiles, inlineLimit: Int) {
    self.encoder = encoder
    self.files = files
    self.inlineLimit = inlineLimit
  }

  /// Takes bytes; returns when they are written or kept in a small buffer (256 KiB).
  public func append(_ bytes: [UInt8]) async throws { try await append(bytes[...]) }

  public func append(_ bytes: ArraySlice<UInt8>) async throws {
    try enter()
    defer { busy = false }
    size += bytes.count
    pending.append(contentsOf: bytes)
    if pending.count >= Self.flushSize { try await flush() }
  }

  /// Takes another object's content.
  public func append(contentsOf body: ObjectBody) async throws {
    for try await chunk in body { try await append(chunk) }
  }

  /// Makes the content durable (large) or ready for the index (small). The writer is done then.
  public func finish() async throws -> StagedContent {
    try enter()
    defer { busy = false }
    finished = true
    let encoder = encoder
    let bytes = pending
    pending = []
    if !encoder.hasFile, bytes.count <= inlineLimit { return try encoder.finishInline(bytes, files) }
    return try await files.threads.run { try encoder.finishFile(bytes) }
  }

  private func enter() throws {
    if busy || finished { throw ObjectStoreError.misuse("a writer takes one call at a time, and none after finish") }
    busy = true
  }

  private func flush() async throws {
    let encoder = encoder
    let bytes = pending
    pending = []
    try await files.threads.run { try encoder.write(bytes) }
  }
}

/// The part of a writer that works on the blocking threads.
///
/// `@unchecked Sendable`: only its writer calls it, and that one waits for a call before it makes the next.
final class ContentEncoder: @unchecked Sendable {
  private var blocks: BlockEncoder
  private var md5 = Insecure.MD5()
  private var digests: [String: any ContentDigest]
  private let files: BlobFiles
  private var file: (name: BlobFile, open: OpenFile)?
  private var staged = false
  private var size = 0

  init(key: DataKey?, salt: [UInt8], digests: [String: any ContentDigest], files: BlobFiles) {
    blocks = BlockEncoder(key: key, salt: salt)
    self.digests = digests
    self.files = files
  }

  deinit { if let file, !staged { files.discard(file.name) } }

  var hasFile: Bool { file != nil }

  private func encode(_ bytes: [UInt8], last: Bool) throws -> [UInt8] {
    size += bytes.count
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count + BlockFormat.headerSize + 16 * (bytes.count / BlockFormat.blockSize + 1))
    try bytes.withUnsafeBytes { raw in
      md5.update(bufferPointer: raw)
      for name in digests.keys { digests[name]?.update(raw) }
      try blocks.append(raw, to: &out)
    }
    if last { try blocks.finish(to: &out) }
    return out
  }

  private func result(_ name: BlobFile, inline: [UInt8]?) -> StagedContent {
    staged = true
    var checksums: [String: String] = [:]
    for name in digests.keys {
      if let bytes = digests[name]?.finish() { checksums[name] = Data(bytes).base64EncodedString() }
    }
    return StagedContent(
      size: size, md5: Array(md5.finalize()), checksums: checksums, file: name, inline: inline, files: files)
  }

  func finishInline(_ bytes: [UInt8], _ files: BlobFiles) throws -> StagedContent {
    let stored = try encode(bytes, last: true)
    return result(files.allocate(), inline: stored)
  }

  func write(_ bytes: [UInt8], last: Bool = false) throws {
    let stored = try encode(bytes, last: last)
    let open: OpenFile
    if let file {
      open = file.open
    } else {
      let name = files.allocate()
      do {
        open = try files.create(name)
      } catch {
        files.discard(name)
        throw error
      }
      file = (name, open)
    }
    try stored.withUnsafeBytes { try open.write($0) }
  }

  func finishFile(_ bytes: [UInt8]) throws -> StagedContent {
    try write(bytes, last: true)
    guard let file else { throw ObjectStoreError.misuse("no file") }
    try files.publish(file.name, file.open)
    return result(file.name, inline: nil)
  }
}
