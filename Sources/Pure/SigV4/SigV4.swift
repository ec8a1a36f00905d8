// AWS Signature Version 4: the words that the signer, the parser and the verifier share.

import AWSCore
import Crypto
import FoundationEssentials

/// AWS Signature Version 4, both sides of it (AWS General Reference, "Signing AWS API requests"). No I/O, no clock.
public enum SigV4 {
  /// The algorithm's name in headers and query strings.
  public static let algorithm = "AWS4-HMAC-SHA256"
  /// What stands for the payload's hash when the payload is not signed.
  public static let unsignedPayload = "UNSIGNED-PAYLOAD"
  /// The SHA-256 of nothing, in hexadecimal.
  public static let emptyPayloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  /// The longest life of a presigned URL, in seconds: seven days.
  public static let presignedSecondsMax = 604_800

  /// Header fields in the order they have on the wire; names in any case.
  public typealias Headers = [(name: String, value: String)]

  /// An access key and what belongs to it.
  public struct Credentials: Sendable, Hashable {
    public var accessKeyID: String
    public var secretAccessKey: String
    /// Present for temporary credentials.
    public var sessionToken: String?

    public init(accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil) {
      self.accessKeyID = accessKeyID
      self.secretAccessKey = secretAccessKey
      self.sessionToken = sessionToken
    }
  }

  /// The head of an HTTP request, exactly as it is on the wire: nothing decoded, nothing normalised.
  public struct Request: Sendable {
    public var method: String
    /// The raw path, percent-encoding as sent, without the query.
    public var path: String
    /// The raw query without its question mark; empty when there is none.
    public var query: String
    public var headers: Headers

    public init(method: String, path: String, query: String = "", headers: Headers) {
      self.method = method
      self.path = path
      self.query = query
      self.headers = headers
    }

    /// - Parameter target: the request target, such as `/bucket/key?versions`.
    public init(method: String, target: String, headers: Headers) {
      let utf8 = target.utf8
      if let mark = utf8.firstIndex(of: UInt8(ascii: "?")) {
        self.init(
          method: method, path: String(target[..<mark]), query: String(target[utf8.index(after: mark)...]),
          headers: headers)
      } else {
        self.init(method: method, path: target, headers: headers)
      }
    }

    /// The first value of a header, by its name in lower case.
    public func header(_ lowerName: String) -> String? {
      for at in headers.indices where equalsIgnoringASCIICase(headers[at].name, lowerName) { return headers[at].value }
      return nil
    }
  }

  /// How paths are put into the canonical request.
  public enum Rules: Sendable, Hashable {
    /// Everything but S3: dot segments and empty segments removed, then encoded once more than on the wire.
    case standard
    /// S3: the path as it is, encoded once; `x-amz-content-sha256` is part of every request.
    case s3

    /// The rules of a service by its signing name.
    public init(service: String) { self = service.hasPrefix("s3") ? .s3 : .standard }
  }

  /// The credential scope `20261123/us-east-1/s3/aws4_request`.
  public struct Scope: Sendable, Hashable, CustomStringConvertible {
    /// Eight digits, `20261123`.
    public var date: String
    public var region: String
    /// The service's signing name, such as `elasticloadbalancing`.
    public var service: String

    public init(date: String, region: String, service: String) {
      self.date = date
      self.region = region
      self.service = service
    }

    public var description: String { "\(date)/\(region)/\(service)/aws4_request" }
  }

  /// The SHA-256 of a payload in hexadecimal, as it enters the canonical request.
  public static func payloadHash(_ bytes: some Collection<UInt8>) -> String {
    var hash = SHA256()
    if bytes.withContiguousStorageIfAvailable({ hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }) == nil {
      hash.update(data: Array(bytes))
    }
    return hex(hash.finalize())
  }

  /// Whether two strings are the same, in time that depends on their lengths only.
  public static func constantTimeEquals(_ a: String, _ b: String) -> Bool {
    var a = a
    var b = b
    return a.withUTF8 { x in
      b.withUTF8 { y in
        guard x.count == y.count else { return false }
        var difference: UInt8 = 0
        for i in x.indices { difference |= x[i] ^ y[i] }
        return difference == 0
      }
    }
  }
}

// MARK: - Helpers of this module

extension SigV4 {
  static func hex(_ bytes: some Sequence<UInt8>) -> String { hexadecimal(bytes) }
  static func hex(_ digest: SHA256.Digest) -> String { digest.withUnsafeBytes { hexadecimal($0) } }
  static func hex(_ code: HMAC<SHA256>.MAC) -> String { code.withUnsafeBytes { hexadecimal($0) } }

  static func sha256Hex(_ text: String) -> String {
    var text = text
    var hash = SHA256()
    text.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
    return hex(hash.finalize())
  }

  /// Whether a header's name begins with `x-amz-`, in any case.
  static func isAmazonHeader(_ name: String) -> Bool {
    // The first letter alone rules most names out.
    guard let first = name.utf8.first, lowered(first) == UInt8(ascii: "x"), name.utf8.count >= 6 else { return false }
    return zip(name.utf8, "x-amz-".utf8).allSatisfy { lowered($0) == $1 }
  }

  @inline(__always)
  static func lowered(_ byte: UInt8) -> UInt8 { byte >= 65 && byte <= 90 ? byte | 0x20 : byte }

  static func trimmed(_ text: Substring) -> Substring {
    var text = text
    while let c = text.utf8.first, c == 32 || c == 9 { text = text.dropFirst() }
    while let c = text.utf8.last, c == 32 || c == 9 { text = text.dropLast() }
    return text
  }
}
