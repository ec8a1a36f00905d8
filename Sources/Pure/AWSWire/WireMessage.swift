// A request as it came and an answer as it goes: plain values, no sockets.

import AWSCore

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
    get {
      // By index, so that no field is copied to be looked at.
      for at in fields.indices where equalsIgnoringASCIICase(fields[at].name, name) { return fields[at].value }
      return nil
    }
    set {
      if let newValue {
        if let at = fields.firstIndex(where: { equalsIgnoringASCIICase($0.name, name) }) {
          fields[at].value = newValue
          let later = fields[(at + 1)...].filter { !equalsIgnoringASCIICase($0.name, name) }
          fields.replaceSubrange((at + 1)..., with: later)
        } else {
          fields.append(Field(name, newValue))
        }
      } else {
        fields.removeAll { equalsIgnoringASCIICase($0.name, name) }
      }
    }
  }

  /// All values of a name, in order.
  public func values(_ name: String) -> [String] {
    var values: [String] = []
    for at in fields.indices where equalsIgnoringASCIICase(fields[at].name, name) { values.append(fields[at].value) }
    return values
  }

  /// Adds a field after those that are there.
  public mutating func append(_ name: String, _ value: String) { fields.append(Field(name, value)) }
}

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
