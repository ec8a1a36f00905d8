// A request as a web ACL looks at it: pieces of bytes that somebody else keeps while it is judged.

/// One value per loop, filled anew for every request. All pieces must stay where they are until the verdict is used.
public final class WebRequest {
  /// A header line.
  public struct Field {
    public let name: ByteView
    public let value: ByteView
  }

  /// Where the request came from.
  public internal(set) var source = SourceAddress(v4: 0)
  public internal(set) var method = ByteView(start: nil, count: 0)
  /// Without the query.
  public internal(set) var path = ByteView(start: nil, count: 0)
  /// Without the question mark.
  public internal(set) var query = ByteView(start: nil, count: 0)
  /// `HTTP/1.1` and so on.
  public internal(set) var version: StaticString = "HTTP/1.1"
  /// In the order they came.
  public internal(set) var fields: ContiguousArray<Field> = []
  /// The first of the body, as much as the web ACL looks at.
  public internal(set) var body = ByteView(start: nil, count: 0)
  /// There is more of the body than that.
  public internal(set) var isBodyCut = false
  /// Bytes of the whole body, where that is known when the request is judged. For the log.
  public var bodySize: UInt64?
  /// `http` or `https`.
  public var scheme: StaticString = "http"
  /// Of the client's TLS hello; nil where there was none, or nobody asked when it came.
  public var fingerprints: ClientFingerprints?
  /// Two letters, from the table of countries.
  public internal(set) var country: String?
  /// Numbers of autonomous systems that rules asked for: the client's, and that of a forwarded address.
  public internal(set) var system: UInt32?
  public internal(set) var forwardedSystem: UInt32?

  public init() {}

  /// Begins a request; header lines and the body follow.
  public func begin(
    source: SourceAddress, method: ByteView, path: ByteView, query: ByteView, version: StaticString = "HTTP/1.1"
  ) {
    self.source = source
    self.method = method
    self.path = path
    self.query = query
    self.version = version
    fields.removeAll(keepingCapacity: true)
    body = ByteView(start: nil, count: 0)
    isBodyCut = false
    bodySize = nil
    scheme = "http"
    fingerprints = nil
    country = nil
    system = nil
    forwardedSystem = nil
  }

  public func add(name: ByteView, value: ByteView) { fields.append(Field(name: name, value: value)) }

  /// - Parameter isCut: there is more than this.
  public func setBody(_ body: ByteView, isCut: Bool) {
    self.body = body
    isBodyCut = isCut
  }

  /// The value of the first header of a (lower-case) name.
  public func header(_ name: [UInt8]) -> ByteView? { fields.first { $0.name.equalsIgnoringCase(name) }?.value }
}
