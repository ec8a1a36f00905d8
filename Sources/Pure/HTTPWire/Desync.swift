// How far a request is from what RFC 9112 allows, in the published classes of desync mitigation: what two servers might
// read differently is how one request is smuggled inside another.

/// The class of a request.
public enum DesyncClass: UInt8, Comparable, Sendable {
  case compliant
  /// Not by the book, and harmless.
  case acceptable
  /// Servers may differ in where it ends.
  case ambiguous
  /// Malformed, or made to confuse.
  case severe

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// As access logs write it.
  public var name: StaticString {
    switch self {
    case .compliant: "-"
    case .acceptable: "Acceptable"
    case .ambiguous: "Ambiguous"
    case .severe: "Severe"
    }
  }
}

/// Why a request is not compliant. The names are those of access logs.
public enum DesyncReason: String, Sendable {
  // Acceptable
  case nonCompliantHeader = "NonCompliantHeader"
  case spaceInURI = "SpaceInUri"
  case nonCompliantVersion = "NonCompliantVersion"
  case getHeadZeroContentLength = "GetHeadZeroContentLength"
  case nonCRLFLineTermination = "NonCrLfLineTermination"
  // Ambiguous
  case emptyHeader = "EmptyHeader"
  case ambiguousURI = "AmbiguousUri"
  case undefinedContentLengthSemantics = "UndefinedContentLengthSemantics"
  case undefinedTransferEncodingSemantics = "UndefinedTransferEncodingSemantics"
  case duplicateContentLength = "DuplicateContentLength"
  case bothTEAndCLPresent = "BothTeClPresent"
  case suspiciousHeader = "SuspiciousHeader"
  case multilineHeader = "MultilineHeader"
  case missingHeaderColon = "MissingHeaderColon"
  case missingURI = "MissingUri"
  // Severe
  case badHeader = "BadHeader"
  case badURI = "BadUri"
  case badVersion = "BadVersion"
  case multipleContentLength = "MultipleContentLength"
  case badContentLength = "BadContentLength"
  case multipleTransferEncodingChunked = "MultipleTransferEncodingChunked"
  case badTransferEncoding = "BadTransferEncoding"
  case badMethod = "BadMethod"

  public var desyncClass: DesyncClass {
    switch self {
    case .nonCompliantHeader, .spaceInURI, .nonCompliantVersion, .getHeadZeroContentLength, .nonCRLFLineTermination:
      .acceptable
    case .emptyHeader, .ambiguousURI, .undefinedContentLengthSemantics, .undefinedTransferEncodingSemantics,
      .duplicateContentLength, .bothTEAndCLPresent, .suspiciousHeader, .multilineHeader, .missingHeaderColon,
      .missingURI:
      .ambiguous
    case .badHeader, .badURI, .badVersion, .multipleContentLength, .badContentLength,
      .multipleTransferEncodingChunked, .badTransferEncoding, .badMethod:
      .severe
    }
  }
}

extension HeadRefusal {
  /// Why the request is not compliant; nil when it is only too large, or has no Host. Some of these classes would be
  /// let through elsewhere: a request that cannot be passed on in one clear form is refused here in every mode.
  public var desyncReason: DesyncReason? {
    switch self {
    case .badRequestLine: .badMethod
    case .badTarget: .badURI
    case .badVersion: .badVersion
    case .badFieldName: .missingHeaderColon
    case .badFieldValue: .badHeader
    case .bareLineEnd: .nonCRLFLineTermination
    case .foldedLine: .multilineHeader
    case .badContentLength: .badContentLength
    case .differentContentLengths: .multipleContentLength
    case .repeatedTransferEncoding: .multipleTransferEncodingChunked
    case .conflictingFraming: .bothTEAndCLPresent
    case .badTransferEncoding: .badTransferEncoding
    case .badStatusLine, .missingHost, .badHost, .lineTooLong, .fieldTooLong, .headTooLong, .tooManyFields,
      .bodyTooLong, .lengthRequired:
      nil
    }
  }
}

extension MessageHead {
  /// Keeps the worst of what is found.
  mutating func note(_ reason: DesyncReason) {
    if let anomaly, anomaly.desyncClass >= reason.desyncClass { return }
    anomaly = reason
  }

  /// Whether a name looks like Content-Length or Transfer-Encoding to a server that tidies names up.
  static func isSuspicious(_ name: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    let first = Token.lowercased(name[0])
    if first == UInt8(ascii: "c") { return tidies(name, length, to: "contentlength") }
    if first == UInt8(ascii: "t") { return tidies(name, length, to: "transferencoding") }
    return false
  }

  private static func tidies(_ name: UnsafePointer<UInt8>, _ length: Int, to text: StaticString) -> Bool {
    var matched = 0
    for index in 0..<length {
      let byte = Token.lowercased(name[index])
      let isLetter = byte &- 97 < 26
      if !isLetter { continue }
      if matched == text.utf8CodeUnitCount || byte != text.utf8Start[matched] { return false }
      matched += 1
    }
    return matched == text.utf8CodeUnitCount
  }
}
