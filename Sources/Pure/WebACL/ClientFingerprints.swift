// Who a client of TLS is by the way it says hello: JA3 and JA4.

import Digests

/// The fingerprints of one ClientHello.
public struct ClientFingerprints: Sendable, Equatable {
  /// 32 hexadecimal digits (https://github.com/salesforce/ja3).
  public let ja3: String
  /// 36 characters such as `t13d1516h2_8daaf6152771_e5627efa2ab1`
  /// (https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md).
  public let ja4: String

  /// Reads a handshake message (RFC 8446, section 4), from its type on. nil for anything but a whole ClientHello of TLS,
  /// and for one whose lists are longer than any client's: they would cost more than the handshake.
  public init?(hello: ByteView) {
    guard let hello = Hello(hello) else { return nil }
    ja3 = hello.ja3
    ja4 = hello.ja4
  }
}

/// What of a ClientHello the fingerprints are made of. Values that clients send to keep servers tolerant (GREASE,
/// RFC 8701) are left out.
private struct Hello {
  /// The most entries of a list; browsers send some twenty.
  private static let listMax = 512

  var version: UInt16 = 0
  var ciphers: [UInt16] = []
  var extensions: [UInt16] = []
  var groups: [UInt16] = []
  var pointFormats: [UInt8] = []
  var signatures: [UInt16] = []
  /// The highest of the supported_versions.
  var highest: UInt16?
  /// The first protocol of ALPN.
  var application: [UInt8] = []

  init?(_ bytes: ByteView) {
    var reader = Reader(bytes)
    guard reader.byte() == 1, let body = reader.piece(lengthOf: 3), reader.isAtEnd else { return nil }
    reader = Reader(body)
    guard let version = reader.word(), reader.skip(32), reader.piece(lengthOf: 1) != nil,
      let ciphers = reader.piece(lengthOf: 2), let suites = Self.words(ciphers), reader.piece(lengthOf: 1) != nil
    else { return nil }
    self.version = version
    self.ciphers = suites
    if reader.isAtEnd { return }
    guard let list = reader.piece(lengthOf: 2), reader.isAtEnd else { return nil }
    reader = Reader(list)
    while !reader.isAtEnd {
      guard let type = reader.word(), let content = reader.piece(lengthOf: 2) else { return nil }
      if Self.isGrease(type) { continue }
      guard extensions.count < Self.listMax else { return nil }
      extensions.append(type)
      guard take(type, Reader(content)) else { return nil }
    }
  }

  /// False for contents that are not what the type says.
  private mutating func take(_ type: UInt16, _ content: Reader) -> Bool {
    var content = content
    switch type {
    case 10:
      guard let list = content.piece(lengthOf: 2).flatMap(Self.words) else { return false }
      groups = list
    case 11:
      guard let list = content.piece(lengthOf: 1) else { return false }
      pointFormats = Array(list)
    case 13:
      guard let list = content.piece(lengthOf: 2).flatMap(Self.words) else { return false }
      signatures = list
    case 16:
      guard let list = content.piece(lengthOf: 2) else { return false }
      var names = Reader(list)
      application = names.piece(lengthOf: 1).map { Array($0) } ?? []
    case 43:
      guard let list = content.piece(lengthOf: 1).flatMap(Self.words) else { return false }
      highest = list.max()
    default: break
    }
    return true
  }

  /// Numbers of two bytes, without GREASE.
  private static func words(_ bytes: ByteView) -> [UInt16]? {
    guard bytes.count % 2 == 0, bytes.count <= 2 * listMax else { return nil }
    return stride(from: 0, to: bytes.count, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
      .filter { !isGrease($0) }
  }

  private static func isGrease(_ value: UInt16) -> Bool { value & 0x0F0F == 0x0A0A && value >> 8 == value & 0xFF }

  // MARK: - JA3

  /// MD5 of the version and four lists in the order of the hello, as decimal numbers.
  var ja3: String {
    var text = Array("\(version)".utf8)
    for list in [ciphers, extensions, groups, pointFormats.map(UInt16.init)] {
      text.append(UInt8(ascii: ","))
      for (index, value) in list.enumerated() {
        if index > 0 { text.append(UInt8(ascii: "-")) }
        text.append(contentsOf: "\(value)".utf8)
      }
    }
    return Hex.text(text.withUnsafeBufferPointer { MD5.hash($0) })
  }

  // MARK: - JA4

  /// What the hello says at a glance, and hashes of its sorted suites, and of its sorted extensions with its signatures.
  var ja4: String {
    let suites = Self.list(ciphers.sorted())
    // Whether a name and which protocol is asked for belongs to the server, and is told in front.
    let own = Self.list(extensions.filter { $0 != 0 && $0 != 16 }.sorted())
    let kinds = signatures.isEmpty ? own : own + [UInt8(ascii: "_")] + Self.list(signatures)
    return "t\(versionName)\(extensions.contains(0) ? "d" : "i")\(Self.count(ciphers))\(Self.count(extensions))"
      + "\(protocolName)_\(Self.hash(suites))_\(Self.hash(kinds))"
  }

  private var versionName: String {
    switch highest ?? version {
    case 0x0304: "13"
    case 0x0303: "12"
    case 0x0302: "11"
    case 0x0301: "10"
    case 0x0300: "s3"
    case 0x0002: "s2"
    default: "00"
    }
  }

  /// The first and the last character of the protocol, of its bytes' hexadecimal digits where one is no character.
  private var protocolName: String {
    guard let first = application.first, let last = application.last else { return "00" }
    if Self.isAlphanumeric(first), Self.isAlphanumeric(last) { return String(decoding: [first, last], as: UTF8.self) }
    let digits = Array(Hex.text([first, last]).utf8)
    return String(decoding: [digits[0], digits[3]], as: UTF8.self)
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool { isDigit(byte) || isLetter(byte) }

  private static func count(_ list: [UInt16]) -> String {
    let count = min(list.count, 99)
    return count < 10 ? "0\(count)" : "\(count)"
  }

  private static func list(_ values: [UInt16]) -> [UInt8] {
    var text: [UInt8] = []
    for value in values {
      if !text.isEmpty { text.append(UInt8(ascii: ",")) }
      text.append(contentsOf: Hex.text([UInt8(value >> 8), UInt8(truncatingIfNeeded: value)]).utf8)
    }
    return text
  }

  private static func hash(_ text: [UInt8]) -> String {
    if text.isEmpty { return "000000000000" }
    return Hex.text(Array(text.withUnsafeBufferPointer { SHA2.sha256($0) }.prefix(6)))
  }
}

/// Reads what is behind lengths; nothing beyond the end.
private struct Reader {
  private let bytes: ByteView
  private var place = 0

  init(_ bytes: ByteView) { self.bytes = bytes }

  var isAtEnd: Bool { place == bytes.count }

  mutating func byte() -> UInt8? {
    guard place < bytes.count else { return nil }
    place += 1
    return bytes[place - 1]
  }

  mutating func word() -> UInt16? {
    guard bytes.count - place >= 2 else { return nil }
    place += 2
    return UInt16(bytes[place - 2]) << 8 | UInt16(bytes[place - 1])
  }

  mutating func skip(_ count: Int) -> Bool {
    guard bytes.count - place >= count else { return false }
    place += count
    return true
  }

  /// What a length of so many bytes stands in front of.
  mutating func piece(lengthOf size: Int) -> ByteView? {
    guard bytes.count - place >= size else { return nil }
    let length = (0..<size).reduce(0) { $0 << 8 | Int(bytes[place + $1]) }
    guard bytes.count - place - size >= length else { return nil }
    defer { place += size + length }
    return bytes.piece(place + size, place + size + length)
  }
}
