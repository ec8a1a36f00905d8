// Content on its way out.

import Disk
import Synchronization

/// An object found for reading: what is known of it, and its bytes as they were then, however often the key is
/// written meanwhile.
public struct ObjectHandle: Sendable {
  public let record: ObjectRecord
  /// The parts of a multipart object, in order; empty for an object put at once.
  public let parts: [PartRecord]
  let pieces: [Piece]
  let files: BlobFiles
  let ticket: ReadTicket?

  struct Piece: Sendable {
    var file: BlobFile
    var size: Int
    var inline: [UInt8]?
  }

  /// The bytes of a range, or all of them. Fails while being read with ``ObjectStoreError/corrupt(_:)`` rather than
  /// give wrong bytes.
  /// - Parameters:
  ///   - range: offsets into the content; ``ObjectStoreError/invalidRange`` when it does not fit.
  ///   - key: for encrypted content, the key it was written with.
  public func body(_ range: Range<Int>? = nil, key: DataKey? = nil) throws -> ObjectBody {
    let range = range ?? 0..<record.size
    guard range.lowerBound >= 0, range.upperBound <= record.size else { throw ObjectStoreError.invalidRange }
    return ObjectBody(handle: self, range: range, key: key)
  }

  /// The range of a part's bytes in the object, by its place in `parts`.
  public func range(ofPartAt index: Int) -> Range<Int>? {
    guard parts.indices.contains(index) else { return nil }
    let start = parts[..<index].reduce(0) { $0 + $1.size }
    return start..<(start + parts[index].size)
  }
}

/// An object's bytes in chunks of up to 256 KiB.
public struct ObjectBody: AsyncSequence, Sendable {
  let handle: ObjectHandle
  let range: Range<Int>
  let key: DataKey?

  /// The number of bytes that will come.
  public var count: Int { range.count }

  public struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let reader: BodyReader
    fileprivate let threads: BlockingThreads

    public mutating func next() async throws -> [UInt8]? {
      let reader = reader
      if reader.isInMemory { return try reader.next() }
      return try await threads.run { try reader.next() }
    }
  }

  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(reader: BodyReader(handle, range, key), threads: handle.files.readers)
  }

  /// All of it at once; for content known to be small.
  public func collect() async throws -> [UInt8] {
    var all: [UInt8] = []
    for try await chunk in self { if all.isEmpty { all = chunk } else { all.append(contentsOf: chunk) } }
    return all
  }
}

/// Walks the pieces of an object.
///
/// `@unchecked Sendable`: only its iterator calls it, one call after the other.
final class BodyReader: @unchecked Sendable {
  private let handle: ObjectHandle
  private let key: DataKey?
  private var piece = 0
  /// Where in the piece reading goes on.
  private var offset: Int
  private var remaining: Int
  private var decoder: BlockDecoder?
  private static let chunkSize = 4 * BlockFormat.blockSize

  let isInMemory: Bool

  init(_ handle: ObjectHandle, _ range: Range<Int>, _ key: DataKey?) {
    self.handle = handle
    self.key = key
    offset = range.lowerBound
    remaining = range.count
    isInMemory = handle.pieces.allSatisfy { $0.inline != nil }
    while piece < handle.pieces.count, offset >= handle.pieces[piece].size {
      offset -= handle.pieces[piece].size
      piece += 1
    }
  }

  func next() throws -> [UInt8]? {
    while remaining > 0 {
      guard piece < handle.pieces.count else {
        throw ObjectStoreError.corrupt("\(handle.record.key): parts are missing")
      }
      let current = handle.pieces[piece]
      if offset == current.size {
        piece += 1
        offset = 0
        decoder = nil
        continue
      }
      let decoder = try self.decoder ?? open(current)
      self.decoder = decoder
      // Up to the end of a block, so that no block is checked twice.
      let limit = (offset / BlockFormat.blockSize) * BlockFormat.blockSize + Self.chunkSize
      let end = min(current.size, limit, offset + remaining)
      let bytes = try decoder.read(offset..<end)
      offset = end
      remaining -= bytes.count
      return bytes
    }
    return nil
  }

  private func open(_ piece: ObjectHandle.Piece) throws -> BlockDecoder {
    let name = "blob \(piece.file.id)"
    if let inline = piece.inline {
      return try BlockDecoder(.bytes(inline), size: piece.size, key: key, name: name)
    }
    do {
      let file = try OpenFile.read(handle.files.path(piece.file))
      return try BlockDecoder(.file(file), size: piece.size, key: key, name: name)
    } catch let error as FileError where error.isNotFound {
      throw ObjectStoreError.corrupt("\(name): the file is missing")
    }
  }
}
