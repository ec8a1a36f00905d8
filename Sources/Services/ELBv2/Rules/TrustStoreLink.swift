// Addresses from which a trust store's contents are had for ten minutes, without credentials: AWS's are presigned ones of
// S3, these are paths of the castle's endpoint, signed with a key of its own.

import AWSCore
import Crypto

/// What an address leads to.
struct TrustStoreLink: Sendable, Hashable {
  enum Part: Sendable, Hashable {
    case bundle
    case revocation(Int)
  }
  var trustStore: String
  var part: Part

  /// Where such addresses begin, behind the castle's own paths (`/_castle`).
  static let root = "/trust-stores/"
  static let seconds = 600
  private static let (bundleEnd, revocationPart) = ("/ca-certificates-bundle", "/revocations/")

  init(trustStore: String, part: Part) {
    self.trustStore = trustStore
    self.part = part
  }

  /// The inverse of `path`; nil where there is nothing.
  init?(path: String) {
    guard path.hasPrefix(Self.root) else { return nil }
    let rest = path.dropFirst(Self.root.count)
    if rest.hasSuffix(Self.bundleEnd) {
      self.init(trustStore: String(rest.dropLast(Self.bundleEnd.count)), part: .bundle)
    } else if let slash = rest.lastIndex(of: "/"), let id = Int(rest[rest.index(after: slash)...]),
      rest[...slash].hasSuffix(Self.revocationPart)
    {
      self.init(trustStore: String(rest[...slash].dropLast(Self.revocationPart.count)), part: .revocation(id))
    } else {
      return nil
    }
  }

  /// An ARN has nothing in it that a path could not have.
  var path: String {
    switch part {
    case .bundle: Self.root + trustStore + Self.bundleEnd
    case .revocation(let id): Self.root + trustStore + Self.revocationPart + "\(id)"
    }
  }

  // MARK: - The signature

  /// Path and query of an address that begins to hold now.
  func signed(with key: SymmetricKey, now: Timestamp) -> String {
    let date = now.basic
    let code = HMAC<SHA256>.authenticationCode(for: signedBytes(date, "\(Self.seconds)"), using: key)
    return "\(path)?X-Amz-Date=\(date)&X-Amz-Expires=\(Self.seconds)&X-Amz-Signature=\(hexadecimal(code))"
  }

  /// Refuses what this castle has not signed, and what it has signed too long ago.
  /// - Throws: S3's errors of presigned addresses: `AccessDenied`, `SignatureDoesNotMatch`.
  func check(_ query: [String: String], with key: SymmetricKey, now: Timestamp) throws {
    guard let date = query["X-Amz-Date"], let seconds = query["X-Amz-Expires"],
      let signature = query["X-Amz-Signature"]
    else { throw AWSError("AccessDenied", "Access Denied", status: 403) }
    guard let code = Self.bytes(hexadecimal: signature),
      HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: signedBytes(date, seconds), using: key),
      let begin = Timestamp(iso8601: date), let lasts = Double(seconds)
    else {
      throw AWSError(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. "
          + "Check your key and signing method.", status: 403)
    }
    let end = begin.adding(seconds: lasts)
    guard now < end else {
      throw AWSError(
        "AccessDenied", "Request has expired", status: 403,
        fields: ["X-Amz-Expires": seconds, "Expires": end.iso8601, "ServerTime": now.iso8601])
    }
  }

  /// One text has one meaning: a path has no line break, and what this castle signs has no third one.
  private func signedBytes(_ date: String, _ seconds: String) -> [UInt8] {
    Array("\(path)\n\(date)\n\(seconds)".utf8)
  }

  private static func bytes(hexadecimal text: String) -> [UInt8]? {
    let digits = text.utf8.map { Character(UnicodeScalar($0)).hexDigitValue }
    guard digits.count == 2 * SHA256.byteCount else { return nil }
    var bytes: [UInt8] = []
    for i in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[i], let low = digits[i + 1] else { return nil }
      bytes.append(UInt8(high << 4 | low))
    }
    return bytes
  }
}
