// A request as it came and an answer as it goes: plain values, no sockets.

/// Header fields in the order they came; names are compared without case.
public struct WireHeaders: Sendable, Hashable, ExpressibleByDictionaryLiteral {
  public struct Field: Sendable, Hashable {
    public var name: String
    public var value: String
    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  public var fields: [Field]

  public init(_ fields: [Field] = []) { self.fields = fields }
  public init(dictionaryLiteral elements: (String, String)...) { fields = elements.map { Field($0.0, $0.1) } }

  /// The first value of a name. Setting replaces every field of that name; nil removes them.
  public subscript(_ name: String) -> String? {
    get { fields.first { sameName($0.name, name) }?.value }
    set {
      if let newValue {
        if let at = fields.firstIndex(where: { sameName($0.name, name) }) {
          fields[at].value = newValue
          let later = fields[(at + 1)...].filter { !sameName($0.name, name) }
          fields.replaceSubrange((at + 1)..., with: later)
        } else {
          fields.append(Field(name, newValue))
        }
      } else {
        fields.removeAll { sameName($0.name, name) }
      }
    }
  }

  /// All values of a name, in order.
  public func values(_ name: String) -> [String] {
    fields.filter { sameName($0.name, name) }.map(\.value)
  }

  /// Adds a field after those that are there.
  public mutating func append(_ name: String, _ value: String) { fields.append(Field(name, value)) }
}

/// ASCII letters are equal without their case (RFC 9110, 5.1).
func sameName(_ a: String, _ b: String) -> Bool {
  let x = a.utf8
  let y = b.utf8
  guard x.count == y.count else { return false }
  for (p, q) in zip(x, y) where p != q {
    guard lowered(p) == lowered(q) else { return false }
  }
  return true
}

@inline(__always) func lowered(_ byte: UInt8) -> UInt8 { byte >= 65 && byte <= 90 ? byte | 32 : byte }

/// An HTTP request, its path and query exactly as they came.
public struct WireRequest: Sendable, Hashable {
  public var method: String
  /// The path, still percent-encoded, beginning with `/`.
  public var path: String
  /// What stands after `?`, still percent-encoded; empty when there is none.
  public var query: String
  public var headers: WireHeaders
  public var body: [UInt8]

  public init(
    method: String, path: String, query: String = "", headers: WireHeaders = WireHeaders(), body: [UInt8] = []
  ) {
    self.method = method
    self.path = path
    self.query = query
    self.headers = headers
    self.body = body
  }
}

/// An HTTP response whose body is in memory.
public struct WireResponse: Sendable, Hashable {
  public var status: Int
  public var headers: WireHeaders
  public var body: [UInt8]

  public init(status: Int, headers: WireHeaders = WireHeaders(), body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }
}
