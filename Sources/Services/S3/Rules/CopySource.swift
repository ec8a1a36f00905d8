// The x-amz-copy-source header.

import AWSCore
import AWSWire

/// `bucket/key?versionId=ID`, percent-encoded, with or without a slash before it.
struct CopySource: Sendable {
  var bucket: String
  var key: String
  var versionID: String?

  /// - Throws: `InvalidArgument`, 501 for access points.
  init(_ header: String) throws {
    var rest = Substring(header)
    if rest.hasPrefix("arn:") { throw AWSError.notImplemented("s3: access points as the source of a copy") }
    if rest.hasPrefix("/") { rest.removeFirst() }
    if let mark = rest.firstRange(of: "?versionId=") {
      let version = String(rest[mark.upperBound...])
      versionID = version.isEmpty ? nil : version
      rest = rest[..<mark.lowerBound]
    }
    guard let path = PercentCoding.decode(rest), let slash = path.firstIndex(of: "/") else {
      throw Self.invalid(header)
    }
    bucket = String(path[..<slash])
    key = String(path[path.index(after: slash)...])
    guard !bucket.isEmpty, !key.isEmpty else { throw Self.invalid(header) }
  }

  private static func invalid(_ header: String) -> AWSError {
    S3Error.invalidArgument(
      "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", "x-amz-copy-source", header)
  }
}
