// The canonical request and the string to sign.

import AWSCore

extension SigV4 {
  /// Which spelling of path and query enters the canonical request. The first of each is AWS's; a verifier tries the
  /// others only after that one failed, for clients that sign what they send byte for byte.
  struct Spelling: Hashable {
    enum Path: CaseIterable { case canonical, alternative, verbatim }
    enum Query: CaseIterable { case canonical, literalPlus, verbatim }
    var path = Path.canonical
    var query = Query.canonical
  }

  static func canonicalPath(_ raw: String, _ rules: Rules, _ spelling: Spelling.Path) -> String {
    if raw.isEmpty { return "/" }
    switch (rules, spelling) {
    case (.s3, .canonical): return PercentEncoding.normalize(raw[...], slash: .keep, plus: .literal)
    case (.s3, .alternative): return PercentEncoding.normalize(raw[...], slash: .decode, plus: .literal)
    case (_, .verbatim): return raw
    case (.standard, .canonical): return PercentEncoding.encode(withoutDotSegments(raw), keepingSlash: true)
    case (.standard, .alternative): return PercentEncoding.encode(raw, keepingSlash: true)
    }
  }

  /// RFC 3986 §5.2.4, and runs of slashes become one.
  static func withoutDotSegments(_ path: String) -> String {
    if !path.utf8.contains(UInt8(ascii: ".")), !path.contains("//") { return path }
    var kept: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part == ".." { _ = kept.popLast() } else { kept.append(part) }
    }
    let first = path.utf8.first == UInt8(ascii: "/") ? "/" : ""
    let last = path.utf8.last == UInt8(ascii: "/") && !kept.isEmpty ? "/" : ""
    return first + kept.joined(separator: "/") + last
  }

  /// Names and values in one spelling, sorted by name and then value; `X-Amz-Signature` left out when asked.
  static func canonicalQuery(_ raw: String, _ spelling: Spelling.Query, omittingSignature: Bool = false) -> String {
    if raw.isEmpty { return "" }
    var pairs: [(String, String)] = []
    for part in raw.split(separator: "&") {
      let equals = part.utf8.firstIndex(of: UInt8(ascii: "="))
      let name = part[..<(equals ?? part.endIndex)]
      let value = equals.map { part[part.utf8.index(after: $0)...] } ?? ""
      if omittingSignature, name == "X-Amz-Signature" { continue }
      switch spelling {
      case .canonical:
        pairs.append((recoded(name, .space), recoded(value, .space)))
      case .literalPlus:
        pairs.append((recoded(name, .literal), recoded(value, .literal)))
      case .verbatim: pairs.append((String(name), String(value)))
      }
    }
    // The texts are ASCII, where the order of strings is the order of their bytes.
    if pairs.count > 1 { pairs.sort { $0 < $1 } }
    return pairs.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
  }

  private static func recoded(_ text: Substring, _ plus: PercentEncoding.Plus) -> String {
    PercentEncoding.normalize(text, slash: .encode, plus: plus)
  }

  /// Lower-case names, values trimmed and inner runs of white space made one space, repeated fields joined by commas.
  /// - Parameter signedHeaders: lower-case names, sorted. One that the request lacks counts as empty.
  static func canonicalHeaders(_ headers: Headers, signedHeaders: [String]) -> String {
    var out = ""
    for name in signedHeaders {
      out += name
      out += ":"
      var first = true
      for header in headers where equalsIgnoringASCIICase(header.name, name) {
        if !first { out += "," }
        first = false
        appendCollapsed(header.value, to: &out)
      }
      out += "\n"
    }
    return out
  }

  private static func appendCollapsed(_ value: String, to out: inout String) {
    var lastWasSpace = true
    var needsWork = value.utf8.last == 32
    for byte in value.utf8 {
      let isSpace = byte == 32 || (byte >= 9 && byte <= 13)
      if isSpace && (lastWasSpace || byte != 32) {
        needsWork = true
        break
      }
      lastWasSpace = isSpace
    }
    guard needsWork else {
      out += value
      return
    }
    out += value.utf8.split { $0 == 32 || ($0 >= 9 && $0 <= 13) }.map { String(Substring($0)) }.joined(separator: " ")
  }

  static func canonicalRequest(
    _ request: Request, rules: Rules, signedHeaders: [String], payloadHash: String, spelling: Spelling = Spelling(),
    presigned: Bool = false
  ) -> String {
    var out = request.method
    out.reserveCapacity(768)
    out += "\n"
    out += canonicalPath(request.path, rules, spelling.path)
    out += "\n"
    out += canonicalQuery(request.query, spelling.query, omittingSignature: presigned)
    out += "\n"
    out += canonicalHeaders(request.headers, signedHeaders: signedHeaders)
    out += "\n"
    for (index, name) in signedHeaders.enumerated() {
      if index > 0 { out += ";" }
      out += name
    }
    out += "\n"
    out += payloadHash
    return out
  }

  static func stringToSign(canonicalRequest: String, timestamp: String, scope: Scope) -> String {
    // Appended piece by piece, which is several times quicker than interpolation; every request comes by.
    var out = algorithm
    out.reserveCapacity(192)
    for piece in ["\n", timestamp, "\n", scope.date, "/", scope.region, "/", scope.service, "/aws4_request\n"] {
      out += piece
    }
    out += sha256Hex(canonicalRequest)
    return out
  }
}
