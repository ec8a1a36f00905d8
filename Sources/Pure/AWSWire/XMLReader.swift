// XML as AWS's APIs use it: elements, attributes, text. No DTD, no entities but XML's five and numbers, bounded depth.

/// An element of an XML document.
public struct XMLNode: Sendable, Hashable {
  public struct Attribute: Sendable, Hashable {
    /// With its prefix, such as `xsi:type`.
    public var name: String
    public var value: String
  }
  /// The local name, without a prefix.
  public var name: String
  public var attributes: [Attribute] = []
  public var children: [XMLNode] = []
  /// All text directly inside, put together.
  public var text = ""

  public init(name: String) { self.name = name }

  /// The first child of a name.
  public func child(_ name: String) -> XMLNode? { children.first { $0.name == name } }

  /// The value of the attribute whose name without prefix is this.
  public func attribute(_ local: String) -> String? {
    attributes.first { localName($0.name) == local[...] }?.value
  }

  /// Reads a document in UTF-8.
  public static func parse(_ bytes: [UInt8]) throws(XMLError) -> XMLNode {
    var reader = XMLReader(bytes: bytes)
    return try reader.document()
  }
}

/// Why a document was refused, and at which byte.
public struct XMLError: Error, Sendable, Hashable, CustomStringConvertible {
  public var message: String
  public var offset: Int
  public var description: String { "\(message) at byte \(offset)" }
}

func localName(_ name: String) -> Substring {
  guard let colon = name.utf8.firstIndex(of: UInt8(ascii: ":")) else { return name[...] }
  return name[name.index(after: colon)...]
}

private struct XMLReader {
  /// An element whose end has not come yet.
  private struct Open {
    var node: XMLNode
    var tag: Range<Int>
    var text: [UInt8] = []
  }

  let bytes: [UInt8]
  var at = 0
  private var open: [Open] = []
  private var root: XMLNode?
  private var elements = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  private func fault(_ message: String) -> XMLError { XMLError(message: message, offset: at) }

  mutating func document() throws(XMLError) -> XMLNode {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
    while at < bytes.count {
      if bytes[at] == UInt8(ascii: "<") { try markup() } else { try characters() }
    }
    guard open.isEmpty, let root else { throw fault("the document ends early") }
    return root
  }

  private func starts(_ text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard at + count <= bytes.count else { return false }
    for i in 0..<count where bytes[at + i] != text.utf8Start[i] { return false }
    return true
  }

  private mutating func skip(past end: StaticString) throws(XMLError) {
    while at < bytes.count {
      if starts(end) {
        at += end.utf8CodeUnitCount
        return
      }
      at += 1
    }
    throw fault("the document ends early")
  }

  private mutating func markup() throws(XMLError) {
    if starts("<?") {
      try skip(past: "?>")
    } else if starts("<!--") {
      at += 4
      try skip(past: "-->")
    } else if starts("<![CDATA[") {
      guard !open.isEmpty else { throw fault("text outside the root") }
      at += 9
      let start = at
      try skip(past: "]]>")
      open[open.count - 1].text.append(contentsOf: bytes[start..<(at - 3)])
    } else if starts("<!") {
      throw fault("a document type declaration")
    } else if starts("</") {
      try endTag()
    } else {
      try startTag()
    }
  }

  private mutating func characters() throws(XMLError) {
    guard !open.isEmpty else {
      guard isSpace(bytes[at]) else { throw fault("text outside the root") }
      at += 1
      return
    }
    while at < bytes.count, bytes[at] != UInt8(ascii: "<") {
      if bytes[at] == UInt8(ascii: "&") {
        let text = try entity()
        open[open.count - 1].text.append(contentsOf: text)
      } else {
        open[open.count - 1].text.append(bytes[at])
        at += 1
      }
    }
  }

  private func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 10 || byte == 13 }

  private mutating func skipSpace() { while at < bytes.count, isSpace(bytes[at]) { at += 1 } }

  private mutating func entity() throws(XMLError) -> [UInt8] {
    let start = at + 1
    var end = start
    while end < bytes.count, end - start < 12, bytes[end] != UInt8(ascii: ";") { end += 1 }
    guard end < bytes.count, bytes[end] == UInt8(ascii: ";") else { throw fault("an entity does not end") }
    let name = String(decoding: bytes[start..<end], as: UTF8.self)
    defer { at = end + 1 }
    switch name {
    case "lt": return [UInt8(ascii: "<")]
    case "gt": return [UInt8(ascii: ">")]
    case "amp": return [UInt8(ascii: "&")]
    case "quot": return [UInt8(ascii: "\"")]
    case "apos": return [UInt8(ascii: "'")]
    default:
      var code: UInt32?
      if name.hasPrefix("#x") {
        code = UInt32(name.dropFirst(2), radix: 16)
      } else if name.hasPrefix("#") {
        code = UInt32(name.dropFirst())
      }
      guard let code, code != 0, let scalar = Unicode.Scalar(code) else { throw fault("an unknown entity") }
      return Array(String(Character(scalar)).utf8)
    }
  }

  private mutating func name() throws(XMLError) -> Range<Int> {
    let start = at
    while at < bytes.count {
      switch bytes[at] {
      case 48...57, 65...90, 97...122, UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"),
        128...255:
        at += 1
        continue
      default: break
      }
      break
    }
    guard at > start, at - start <= 256 else { throw fault("no name") }
    return start..<at
  }

  private mutating func startTag() throws(XMLError) {
    at += 1
    guard root == nil || !open.isEmpty else { throw fault("a second root") }
    guard open.count < WireLimits.depth else { throw fault("nested too deep") }
    elements += 1
    guard elements <= WireLimits.xmlElements else { throw fault("too many elements") }
    let tag = try name()
    var node = XMLNode(name: String(localName(String(decoding: bytes[tag], as: UTF8.self))))
    while true {
      skipSpace()
      guard at < bytes.count else { throw fault("the document ends early") }
      if bytes[at] == UInt8(ascii: ">") {
        at += 1
        open.append(Open(node: node, tag: tag))
        return
      }
      if starts("/>") {
        at += 2
        finish(node)
        return
      }
      node.attributes.append(try attribute())
      guard node.attributes.count <= 64 else { throw fault("too many attributes") }
    }
  }

  private mutating func attribute() throws(XMLError) -> XMLNode.Attribute {
    let range = try name()
    skipSpace()
    guard at < bytes.count, bytes[at] == UInt8(ascii: "=") else { throw fault("an attribute without a value") }
    at += 1
    skipSpace()
    guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") || bytes[at] == UInt8(ascii: "'") else {
      throw fault("an attribute without quotes")
    }
    let quote = bytes[at]
    at += 1
    var value: [UInt8] = []
    while at < bytes.count, bytes[at] != quote {
      if bytes[at] == UInt8(ascii: "<") { throw fault("a tag inside an attribute") }
      if bytes[at] == UInt8(ascii: "&") {
        value.append(contentsOf: try entity())
      } else {
        value.append(bytes[at])
        at += 1
      }
    }
    guard at < bytes.count else { throw fault("the document ends early") }
    at += 1
    return .init(name: String(decoding: bytes[range], as: UTF8.self), value: String(decoding: value, as: UTF8.self))
  }

  private mutating func endTag() throws(XMLError) {
    at += 2
    let tag = try name()
    skipSpace()
    guard at < bytes.count, bytes[at] == UInt8(ascii: ">") else { throw fault("an end tag does not end") }
    guard var last = open.popLast(), bytes[last.tag].elementsEqual(bytes[tag]) else {
      throw fault("an end tag too many")
    }
    at += 1
    last.node.text = String(decoding: last.text, as: UTF8.self)
    finish(last.node)
  }

  private mutating func finish(_ node: XMLNode) {
    if open.isEmpty { root = node } else { open[open.count - 1].node.children.append(node) }
  }
}
