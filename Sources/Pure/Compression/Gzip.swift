// The gzip format (RFC 1952), by zlib.

import CZlib

/// Gzip files in memory.
public enum Gzip {
  /// zlib has no memory left.
  public struct OutOfMemory: Error, Sendable {}

  /// The bytes as a gzip file.
  /// - Throws: ``OutOfMemory``.
  public static func compressed(_ bytes: [UInt8]) throws(OutOfMemory) -> [UInt8] {
    var stream = z_stream()
    guard castle_gzip_begin(&stream) == Z_OK else { throw OutOfMemory() }
    defer { deflateEnd(&stream) }
    // Enough for one call, so that nothing is left over.
    var out = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))))
    var input = bytes
    let written = input.withUnsafeMutableBufferPointer { input in
      out.withUnsafeMutableBufferPointer { out in
        stream.next_in = input.baseAddress
        stream.avail_in = UInt32(input.count)
        stream.next_out = out.baseAddress
        stream.avail_out = UInt32(out.count)
        return deflate(&stream, Z_FINISH) == Z_STREAM_END ? out.count - Int(stream.avail_out) : 0
      }
    }
    guard written > 0 else { throw OutOfMemory() }
    out.removeLast(out.count - written)
    return out
  }
}
