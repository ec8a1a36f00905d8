// How bytes lie on the disk: a header of 16 bytes, then blocks of 64 KiB, each with its own checksum or seal.
//
//   header   "CBLK" · version 1 · cipher (0 none, 1 AES-256-GCM) · 2 zero bytes · 8 random bytes
//   block    up to 65,536 bytes · CRC-32C (4 bytes, little endian) or GCM tag (16 bytes)
//
// The checksum covers header, block number and bytes; the seal's nonce is the header's random bytes and the block
// number, its associated data the header: a block in the wrong place or file is found out too.

import AWSCore
import Crypto
import Disk
import FoundationEssentials

/// A key for AES-256-GCM that encrypts one object's content. Not kept by the store.
public struct DataKey: Sendable {
  let key: SymmetricKey

  /// - Parameter bytes: 32 of them, else ``ObjectStoreError/invalidDataKey``.
  public init(_ bytes: [UInt8]) throws {
    guard bytes.count == 32 else { throw ObjectStoreError.invalidDataKey }
    key = SymmetricKey(data: bytes)
  }
}

enum BlockFormat {
  static let headerSize = 16
  static let blockSize = 65_536
  static let magic: [UInt8] = Array("CBLK".utf8)

  static func overhead(encrypted: Bool) -> Int { encrypted ? 16 : 4 }

  static func nonce(_ header: [UInt8], _ index: Int) throws -> AES.GCM.Nonce {
    var bytes = Array(header[8..<16])
    for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: index >> shift)) }
    return try AES.GCM.Nonce(data: bytes)
  }

  static func checksum(_ header: [UInt8], _ index: Int, _ block: UnsafeRawBufferPointer) -> UInt32 {
    var crc = CRC32C()
    header.withUnsafeBytes { crc.update($0) }
    withUnsafeBytes(of: UInt64(index).littleEndian) { crc.update($0) }
    crc.update(block)
    return crc.value
  }
}

/// Turns content into stored bytes, block by block.
struct BlockEncoder {
  let header: [UInt8]
  private let key: SymmetricKey?
  private var index = 0
  private var partial: [UInt8] = []

  /// - Parameter salt: 8 random bytes, new for each blob.
  init(key: DataKey?, salt: [UInt8]) {
    self.key = key?.key
    header = BlockFormat.magic + [1, key == nil ? 0 : 1, 0, 0] + salt
  }

  /// Appends the stored form of every block that is now full.
  mutating func append(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) throws {
    var rest = bytes
    if !partial.isEmpty {
      let take = min(rest.count, BlockFormat.blockSize - partial.count)
      partial.append(contentsOf: rest[..<take])
      rest = UnsafeRawBufferPointer(rebasing: rest[take...])
      if partial.count == BlockFormat.blockSize {
        let block = partial
        partial.removeAll(keepingCapacity: true)
        try block.withUnsafeBytes { try seal($0, to: &out) }
      }
    }
    while rest.count >= BlockFormat.blockSize {
      try seal(UnsafeRawBufferPointer(rebasing: rest[..<BlockFormat.blockSize]), to: &out)
      rest = UnsafeRawBufferPointer(rebasing: rest[BlockFormat.blockSize...])
    }
    partial.append(contentsOf: rest)
  }

  /// Appends the last block, if there is one.
  mutating func finish(to out: inout [UInt8]) throws {
    if partial.isEmpty { return }
    let block = partial
    partial = []
    try block.withUnsafeBytes { try seal($0, to: &out) }
  }

  private mutating func seal(_ block: UnsafeRawBufferPointer, to out: inout [UInt8]) throws {
    if index == 0 { out.append(contentsOf: header) }
    if let key {
      let box = try AES.GCM.seal(
        block, using: key, nonce: try BlockFormat.nonce(header, index), authenticating: header)
      out.append(contentsOf: box.ciphertext)
      out.append(contentsOf: box.tag)
    } else {
      out.append(contentsOf: block)
      withUnsafeBytes(of: BlockFormat.checksum(header, index, block).littleEndian) { out.append(contentsOf: $0) }
    }
    index += 1
  }
}

/// Where stored bytes are read from.
enum BlobSource: Sendable {
  case bytes([UInt8])
  case file(OpenFile)

  /// As many bytes as there are, at most `count`.
  func read(at offset: Int, count: Int) throws -> [UInt8] {
    switch self {
    case .bytes(let bytes):
      return offset >= bytes.count ? [] : Array(bytes[offset..<min(bytes.count, offset + count)])
    case .file(let file):
      return try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        filled = try file.read(UnsafeMutableRawBufferPointer(buffer), at: offset)
      }
    }
  }
}

/// Turns stored bytes back into content, and never hands out a byte that it has not checked.
struct BlockDecoder: Sendable {
  private let source: BlobSource
  private let size: Int
  private let key: SymmetricKey?
  private let header: [UInt8]
  private let name: String

  /// - Parameters:
  ///   - size: of the content, from the index.
  ///   - name: for error messages.
  init(_ source: BlobSource, size: Int, key: DataKey?, name: String) throws {
    self.source = source
    self.size = size
    self.name = name
    if size == 0 {
      header = []
      self.key = nil
      return
    }
    header = try source.read(at: 0, count: BlockFormat.headerSize)
    guard header.count == BlockFormat.headerSize, Array(header[..<4]) == BlockFormat.magic, header[4] == 1,
      header[5] <= 1
    else { throw ObjectStoreError.corrupt("\(name): the header is not one of ours") }
    if header[5] == 1 {
      guard let key else { throw ObjectStoreError.keyRequired }
      self.key = key.key
    } else {
      self.key = nil
    }
  }

  /// The content of a range (within 0..<size): whole blocks are read and checked, and what was asked for cut out.
  func read(_ range: Range<Int>) throws -> [UInt8] {
    if range.isEmpty { return [] }
    let block = BlockFormat.blockSize
    let stride = block + BlockFormat.overhead(encrypted: key != nil)
    let first = range.lowerBound / block
    let last = (range.upperBound - 1) / block
    let overhead = stride - block
    let end = min((last + 1) * block, size) + (last + 1) * overhead
    let stored = try source.read(at: BlockFormat.headerSize + first * stride, count: end - first * stride)
    guard stored.count == end - first * stride else { throw ObjectStoreError.corrupt("\(name): bytes are missing") }
    var out: [UInt8] = []
    out.reserveCapacity(range.count)
    try stored.withUnsafeBytes { stored in
      for index in first...last {
        let start = (index - first) * stride
        let count = min(block, size - index * block)
        let cut = max(range.lowerBound - index * block, 0)..<min(range.upperBound - index * block, count)
        let bytes = UnsafeRawBufferPointer(rebasing: stored[start..<(start + count)])
        let check = UnsafeRawBufferPointer(rebasing: stored[(start + count)..<(start + count + overhead)])
        try open(index, bytes, check, cut, &out)
      }
    }
    return out
  }

  private func open(
    _ index: Int, _ bytes: UnsafeRawBufferPointer, _ check: UnsafeRawBufferPointer, _ cut: Range<Int>,
    _ out: inout [UInt8]
  ) throws {
    if let key {
      do {
        let box = try AES.GCM.SealedBox(nonce: try BlockFormat.nonce(header, index), ciphertext: bytes, tag: check)
        let plain = try AES.GCM.open(box, using: key, authenticating: header)
        out.append(contentsOf: cut.count == plain.count ? plain : plain.dropFirst(cut.lowerBound).prefix(cut.count))
      } catch is CryptoKitError {
        throw ObjectStoreError.corrupt("\(name): block \(index) does not open with this key")
      }
    } else {
      let expected = UInt32(littleEndian: check.loadUnaligned(as: UInt32.self))
      guard BlockFormat.checksum(header, index, bytes) == expected else {
        throw ObjectStoreError.corrupt("\(name): block \(index) has another checksum")
      }
      out.append(contentsOf: bytes[cut])
    }
  }
}
