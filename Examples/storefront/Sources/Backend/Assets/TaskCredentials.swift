// The task role's credentials, from the container credentials endpoint or from the environment.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import SigV4
import StorefrontKit

/// The endpoint did not give credentials.
struct CredentialsError: Error, CustomStringConvertible {
  let description: String
}

actor TaskCredentials {
  /// Credentials are fetched anew this long before they expire.
  static let margin: TimeInterval = 300
  /// Where ECS on AWS serves AWS_CONTAINER_CREDENTIALS_RELATIVE_URI.
  static let ecsHost = "http://169.254.170.2"

  private enum Source {
    case fixed(SigV4.Credentials)
    case endpoint(url: String, token: String?)
  }

  private struct Answer: Decodable {
    let accessKeyID: String
    let secretAccessKey: String
    let token: String?
    let expiration: String?

    enum CodingKeys: String, CodingKey {
      case accessKeyID = "AccessKeyId"
      case secretAccessKey = "SecretAccessKey"
      case token = "Token"
      case expiration = "Expiration"
    }
  }

  private let source: Source
  private let client: HTTPClient
  private var last: (credentials: SigV4.Credentials, expires: Date)?
  private var fetching: Task<(SigV4.Credentials, Date), any Error>?

  /// - Throws: `SettingError` when the environment names no credentials.
  init(settings: Settings, client: HTTPClient) throws {
    self.client = client
    if let url = settings["AWS_CONTAINER_CREDENTIALS_FULL_URI"] {
      source = .endpoint(url: url, token: settings["AWS_CONTAINER_AUTHORIZATION_TOKEN"])
    } else if let path = settings["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] {
      source = .endpoint(url: Self.ecsHost + path, token: settings["AWS_CONTAINER_AUTHORIZATION_TOKEN"])
    } else if let key = settings["AWS_ACCESS_KEY_ID"] {
      source = .fixed(
        SigV4.Credentials(
          accessKeyID: key, secretAccessKey: try settings.require("AWS_SECRET_ACCESS_KEY", for: "the key's secret"),
          sessionToken: settings["AWS_SESSION_TOKEN"]))
    } else {
      throw SettingError(
        "there are no AWS credentials: set AWS_CONTAINER_CREDENTIALS_FULL_URI or AWS_ACCESS_KEY_ID and "
          + "AWS_SECRET_ACCESS_KEY")
    }
  }

  /// Credentials that are good for a while.
  /// - Throws: ``CredentialsError`` or the HTTP client's error.
  func current(at now: Date) async throws -> SigV4.Credentials {
    guard case .endpoint(let url, let token) = source else {
      if case .fixed(let credentials) = source { return credentials }
      preconditionFailure("a source is one of two")
    }
    if let last, last.expires.timeIntervalSince(now) > Self.margin { return last.credentials }
    if let fetching { return try await fetching.value.0 }
    let client = client
    let fetch = Task { try await Self.fetch(url, token: token, client: client) }
    fetching = fetch
    defer { fetching = nil }
    do {
      let (credentials, expires) = try await fetch.value
      last = (credentials, expires)
      return credentials
    } catch {
      // The old ones still work while they last.
      if let last, last.expires > now { return last.credentials }
      throw error
    }
  }

  private static func fetch(
    _ url: String, token: String?, client: HTTPClient
  ) async throws -> (SigV4.Credentials, Date) {
    var request = HTTPClientRequest(url: url)
    if let token { request.headers.add(name: "Authorization", value: token) }
    let response = try await client.execute(request, timeout: .seconds(5))
    let body = try await response.body.collect(upTo: 64 * 1024)
    guard response.status == .ok else {
      throw CredentialsError(description: "the credentials endpoint answered \(response.status.code)")
    }
    let answer: Answer
    do {
      answer = try JSONDecoder().decode(Answer.self, from: Data(body.readableBytesView))
    } catch {
      // The error's own text may quote the secret.
      throw CredentialsError(description: "the credentials endpoint's answer is not the expected JSON")
    }
    let expires: Date
    if let text = answer.expiration {
      guard let date = (try? Date(text, strategy: .iso8601)) ?? (try? Date(text, strategy: fractional)) else {
        throw CredentialsError(description: "the credentials' Expiration is not a time: \(text)")
      }
      expires = date
    } else {
      expires = .distantFuture
    }
    let credentials = SigV4.Credentials(
      accessKeyID: answer.accessKeyID, secretAccessKey: answer.secretAccessKey, sessionToken: answer.token)
    return (credentials, expires)
  }

  private static let fractional = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
}
