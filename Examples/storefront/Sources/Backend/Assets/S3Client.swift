// The little of S3 that the shop needs: is it there, put it, get it.
import AWSCore
import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import SigV4
import StorefrontKit

/// S3 refused a request.
struct S3Error: Error, CustomStringConvertible {
  let operation: String
  let key: String
  let status: Int
  /// The beginning of S3's XML.
  let body: String

  var description: String { "S3 \(operation) \(key) answered \(status): \(body)" }
}

/// An object on its way out of the bucket.
struct S3Object: Sendable {
  /// 200, or 304 when the visitor has this version.
  let status: Int
  let type: String
  let etag: String?
  let length: Int?
  let body: HTTPClientResponse.Body
}

struct S3Client: Sendable {
  static let timeout = TimeAmount.seconds(10)
  /// How often a request is made, as the AWS SDKs do (standard retry mode): a connection that broke or an answer of 5xx
  /// says little of the next one, and all that is asked here may be asked twice.
  static let attempts = 3

  private let client: HTTPClient
  private let credentials: TaskCredentials
  private let region: String
  /// Scheme, host and, with an endpoint of its own, the bucket as first part of the path.
  private let origin: String
  private let host: String
  private let prefix: String
  private let keys = SigV4.SigningKeyCache(capacity: 8)

  /// A client for ASSETS_BUCKET, at AWS_ENDPOINT_URL (path style) or at AWS in AWS_REGION.
  /// - Throws: `SettingError`.
  init(settings: Settings, client: HTTPClient) throws {
    self.client = client
    credentials = try TaskCredentials(settings: settings, client: client)
    region = settings["AWS_REGION"] ?? settings["AWS_DEFAULT_REGION"] ?? "us-east-1"
    let bucket = try settings.require("ASSETS_BUCKET", for: "the name of the bucket for pictures")
    if let endpoint = settings["AWS_ENDPOINT_URL_S3"] ?? settings["AWS_ENDPOINT_URL"] {
      guard let scheme = endpoint.range(of: "://"), !endpoint[scheme.upperBound...].isEmpty else {
        throw SettingError("AWS_ENDPOINT_URL is '\(endpoint)'; it must be a URL such as http://127.0.0.1:4566")
      }
      let authority = endpoint[scheme.upperBound...].prefix { $0 != "/" }
      origin = "\(endpoint[..<scheme.upperBound])\(authority)"
      host = String(authority)
      prefix = "/\(bucket)"
    } else {
      host = "\(bucket).s3.\(region).amazonaws.com"
      origin = "https://\(host)"
      prefix = ""
    }
  }

  /// Whether an object is there. Without permission to list the bucket S3 says 403 of one that is not.
  func exists(_ key: String) async throws -> Bool {
    let response = try await send(.HEAD, key)
    switch response.status.code {
    case 200: return true
    case 403, 404: return false
    default: throw S3Error(operation: "HeadObject", key: key, status: Int(response.status.code), body: "")
    }
  }

  /// Puts an object.
  func put(_ key: String, _ bytes: [UInt8], type: String) async throws {
    let headers = [("Content-Type", type), ("Cache-Control", "public, max-age=31536000, immutable")]
    let response = try await send(.PUT, key, headers: headers, body: bytes)
    guard response.status == .ok else { throw await failure("PutObject", key, response) }
    _ = try await response.body.collect(upTo: 64 * 1024)
  }

  /// Gets an object, unless it is the version that `ifNoneMatch` names.
  func get(_ key: String, ifNoneMatch: String?) async throws -> S3Object {
    let response = try await send(.GET, key, headers: ifNoneMatch.map { [("If-None-Match", $0)] } ?? [])
    guard response.status == .ok || response.status == .notModified else {
      throw await failure("GetObject", key, response)
    }
    return S3Object(
      status: Int(response.status.code),
      type: response.headers.first(name: "Content-Type") ?? "application/octet-stream",
      etag: response.headers.first(name: "ETag"),
      length: response.headers.first(name: "Content-Length").flatMap { Int($0) }, body: response.body)
  }

  private func send(
    _ method: HTTPMethod, _ key: String, headers: [(String, String)] = [], body: [UInt8] = []
  ) async throws -> HTTPClientResponse {
    for attempt in 1..<Self.attempts {
      do {
        let response = try await sendOnce(method, key, headers: headers, body: body)
        if response.status.code < 500 { return response }
      } catch let error where !(error is CancellationError) {
        // The next attempt, or the last one below, tells whether it was more than a moment.
      }
      try await Task.sleep(for: .milliseconds(50 << attempt))
    }
    return try await sendOnce(method, key, headers: headers, body: body)
  }

  private func sendOnce(
    _ method: HTTPMethod, _ key: String, headers: [(String, String)], body: [UInt8]
  ) async throws -> HTTPClientResponse {
    let now = Date()
    let path = "\(prefix)/\(key)"
    let signer = SigV4.Signer(
      credentials: try await credentials.current(at: now), region: region, service: "s3", cache: keys)
    let unsigned = SigV4.Request(
      method: method.rawValue, path: path, headers: [("Host", host)] + headers.map { (name: $0.0, value: $0.1) })
    let signed = signer.sign(
      unsigned, payload: .bytes(body), at: Timestamp(seconds: now.timeIntervalSince1970.rounded(.down)))
    var request = HTTPClientRequest(url: origin + path)
    request.method = method
    for (name, value) in unsigned.headers + signed.headers {
      request.headers.replaceOrAdd(name: name, value: value)
    }
    if method == .PUT { request.body = .bytes(ByteBuffer(bytes: body)) }
    return try await client.execute(request, timeout: Self.timeout)
  }

  private func failure(_ operation: String, _ key: String, _ response: HTTPClientResponse) async -> S3Error {
    // What it says is worth having, but its absence does not change that the request failed.
    let body = (try? await response.body.collect(upTo: 64 * 1024)).map { String(buffer: $0).prefix(400) } ?? ""
    return S3Error(operation: operation, key: key, status: Int(response.status.code), body: String(body))
  }
}
