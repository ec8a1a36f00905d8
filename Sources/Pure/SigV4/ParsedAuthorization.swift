// Reads who signed a request and how, from its Authorization header or its presigned query.

import AWSCore

extension SigV4 {
  /// What a request says of its signature; nothing of it is verified yet.
  public struct ParsedAuthorization: Sendable, Hashable {
    /// Where the signature stood.
    public enum Source: Sendable, Hashable {
      case header
      /// A presigned URL; `expires` is `X-Amz-Expires` in seconds, which only S3 insists on.
      case query(expires: Int?)
    }

    public var source: Source
    public var accessKeyID: String
    public var scope: Scope
    /// Lower-case names, in the order given.
    public var signedHeaders: [String]
    public var signature: String
    /// The instant of `X-Amz-Date` (or `Date`).
    public var date: Timestamp
    /// `date` in the basic format, as it is signed.
    public var timestamp: String
    public var sessionToken: String?
    /// The value of `x-amz-content-sha256` (header, or on presigned requests the query parameter).
    public var contentSHA256: String?

    /// Whether the signature stood in the query.
    public var isPresigned: Bool { source != .header }

    /// Reads a request's authentication.
    /// - Throws: `Failure`; a request with no signature is `missingAuthenticationToken`.
    public init(_ request: Request) throws(Failure) {
      if let header = request.header("authorization"), !header.isEmpty {
        try self.init(header: header, request: request)
      } else if request.query.contains("X-Amz-") {
        try self.init(query: request)
      } else if request.query.contains("AWSAccessKeyId="), request.query.contains("Signature=") {
        throw .unsupportedAlgorithm("AWS2")
      } else {
        throw .missingAuthenticationToken
      }
    }
  }
}

// MARK: - The header

extension SigV4.ParsedAuthorization {
  private init(header: String, request: SigV4.Request) throws(SigV4.Failure) {
    // On bytes: every request goes through here.
    let text = Self.trimmed(Array(header.utf8)[...])
    let name = text.prefix { $0 != 32 && $0 != 9 }
    try Self.check(algorithm: String(decoding: name, as: UTF8.self))
    var credential: ArraySlice<UInt8> = []
    var signature: ArraySlice<UInt8> = []
    var signed: ArraySlice<UInt8> = []
    var rest = text[name.endIndex...]
    while let raw = Self.next(in: &rest, before: UInt8(ascii: ",")) {
      if raw.isEmpty { continue }
      let piece = Self.trimmed(raw)
      guard let equals = piece.firstIndex(of: UInt8(ascii: "=")) else {
        let shown = String(decoding: piece, as: UTF8.self)
        throw .malformedHeader("'\(shown)' not a valid key=value pair (missing equal-sign) in Authorization header.")
      }
      let value = Self.trimmed(piece[(equals + 1)...])
      switch String(decoding: Self.trimmed(piece[..<equals]), as: UTF8.self) {
      case "Credential": credential = value
      case "Signature": signature = value
      case "SignedHeaders": signed = value
      default: break
      }
    }
    guard !credential.isEmpty, !signature.isEmpty, !signed.isEmpty else {
      let all = [("Credential", credential), ("Signature", signature), ("SignedHeaders", signed)]
      throw .malformedHeader(
        all.filter(\.1.isEmpty).map { "Authorization header requires '\($0.0)' parameter." }.joined(separator: " "))
    }
    guard let (id, scope) = Self.split(credential: credential) else {
      throw .malformedHeader(
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
          + "got '\(String(decoding: credential, as: UTF8.self))'.")
    }
    guard let date = Self.date(request) else { throw .missingDate }
    source = .header
    accessKeyID = id
    self.scope = scope
    signedHeaders = Self.names(signed)
    self.signature = Self.lowered(signature)
    self.date = date
    timestamp = date.basic
    sessionToken = request.header("x-amz-security-token")
    contentSHA256 = request.header("x-amz-content-sha256")
  }

  /// Takes what comes before the next separator, and that one with it; nil when nothing is left.
  private static func next(in rest: inout ArraySlice<UInt8>, before separator: UInt8) -> ArraySlice<UInt8>? {
    if rest.isEmpty { return nil }
    let end = rest.firstIndex(of: separator) ?? rest.endIndex
    defer { rest = rest[min(end + 1, rest.endIndex)...] }
    return rest[..<end]
  }

  private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var text = text
    while let c = text.first, c == 32 || c == 9 { text = text.dropFirst() }
    while let c = text.last, c == 32 || c == 9 { text = text.dropLast() }
    return text
  }

  /// ASCII letters in lower case, which is all that names of headers and signatures are made of.
  fileprivate static func lowered(_ text: ArraySlice<UInt8>) -> String {
    let string = String(decoding: text, as: UTF8.self)
    return text.contains { $0 >= 65 && $0 <= 90 } ? string.lowercased() : string
  }

  /// Names between semicolons, in lower case.
  fileprivate static func names(_ text: ArraySlice<UInt8>) -> [String] {
    var names: [String] = []
    names.reserveCapacity(12)
    var rest = text
    while let name = next(in: &rest, before: UInt8(ascii: ";")) {
      if !name.isEmpty { names.append(lowered(name)) }
    }
    return names
  }

  private static func date(_ request: SigV4.Request) -> Timestamp? {
    if let text = request.header("x-amz-date") { return Timestamp(iso8601: text) ?? Timestamp(httpDate: text) }
    guard let text = request.header("date") else { return nil }
    return Timestamp(httpDate: text) ?? Timestamp(iso8601: text)
  }

  private static func check(algorithm: String) throws(SigV4.Failure) {
    if algorithm == SigV4.algorithm { return }
    throw algorithm == "AWS4-ECDSA-P256-SHA256" ? .asymmetric : .unsupportedAlgorithm(algorithm)
  }

  /// The key id may itself hold slashes; the scope is the last four parts.
  private static func split(credential: ArraySlice<UInt8>) -> (String, SigV4.Scope)? {
    var rest = credential
    func last() -> ArraySlice<UInt8>? {
      guard let slash = rest.lastIndex(of: UInt8(ascii: "/")) else { return nil }
      defer { rest = rest[..<slash] }
      return rest[(slash + 1)...]
    }
    guard let term = last(), term.elementsEqual("aws4_request".utf8), let service = last(), let region = last(),
      let date = last(), !rest.isEmpty, !service.isEmpty, !region.isEmpty, date.count == 8,
      date.allSatisfy({ $0 >= 48 && $0 <= 57 })
    else { return nil }
    func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
    return (text(rest), SigV4.Scope(date: text(date), region: text(region), service: text(service)))
  }
}

// MARK: - The query

extension SigV4.ParsedAuthorization {
  private init(query request: SigV4.Request) throws(SigV4.Failure) {
    var values: [String: String] = [:]
    for part in request.query.split(separator: "&") where part.hasPrefix("X-Amz-") {
      let equals = part.firstIndex(of: "=") ?? part.endIndex
      let name = String(part[..<equals])
      guard values[name] == nil else { throw .malformedQuery("Duplicate query parameter: \(name)") }
      values[name] = PercentEncoding.decode(part[equals...].dropFirst())
    }
    guard let name = values["X-Amz-Algorithm"] else {
      // Parameters of other kinds (X-Amz-Target in a query) are no signature.
      if values["X-Amz-Signature"] == nil, values["X-Amz-Credential"] == nil { throw .missingAuthenticationToken }
      throw .malformedQuery(Self.incompleteQuery)
    }
    try Self.check(algorithm: name)
    guard let credential = values["X-Amz-Credential"], let signature = values["X-Amz-Signature"],
      let signed = values["X-Amz-SignedHeaders"], let stamp = values["X-Amz-Date"], !signature.isEmpty, !signed.isEmpty
    else { throw .malformedQuery(Self.incompleteQuery) }
    guard let (id, scope) = Self.split(credential: Array(credential.utf8)[...]) else {
      throw .malformedQuery(
        "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; "
          + "expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
    }
    guard stamp.utf8.count == 16, let date = Timestamp(iso8601: stamp) else {
      throw .malformedQuery("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    }
    source = .query(expires: try Self.expires(values["X-Amz-Expires"]))
    accessKeyID = id
    self.scope = scope
    signedHeaders = Self.names(Array(signed.utf8)[...])
    self.signature = Self.lowered(Array(signature.utf8)[...])
    self.date = date
    timestamp = stamp
    sessionToken = values["X-Amz-Security-Token"]
    contentSHA256 = request.header("x-amz-content-sha256") ?? values["X-Amz-Content-Sha256"]
  }

  static let incompleteQuery =
    "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
    + "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."

  private static func expires(_ text: String?) throws(SigV4.Failure) -> Int? {
    guard let text else { return nil }
    guard let seconds = Int(text) else { throw .malformedQuery("X-Amz-Expires should be a number") }
    if seconds < 0 { throw .malformedQuery("X-Amz-Expires must be non-negative") }
    if seconds > SigV4.presignedSecondsMax {
      throw .malformedQuery(
        "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
          + "604800 seconds")
    }
    return seconds
  }
}
