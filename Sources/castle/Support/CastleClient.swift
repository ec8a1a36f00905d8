// The way from the command to a running castle: Castle's own paths, opened with the owner's token.

import AWSCore
import AsyncHTTPClient
import CastleServer
import Foundation
import NIOCore
import NIOPosix

struct CastleClient: Sendable {
  /// A castle that is not there is told at once, not after attempts: its socket is held while it is started again.
  private static let http = HTTPClient(
    configuration: {
      var configuration = HTTPClient.Configuration()
      configuration.connectionPool.retryConnectionEstablishment = false
      return configuration
    }())

  let endpoint: String
  let owner: OwnerFile

  var dashboard: String { "\(endpoint)/_castle/?token=\(owner.token)" }

  private func request(_ method: String, _ path: String, _ query: [String: String], body: [UInt8]) -> HTTPClientRequest
  {
    var url = URLComponents()
    url.queryItems =
      query.isEmpty ? nil : query.sorted { $0.key < $1.key }.map { URLQueryItem(name: $0.key, value: $0.value) }
    var request = HTTPClientRequest(url: "\(endpoint)/_castle\(path)\(url.percentEncodedQuery.map { "?\($0)" } ?? "")")
    request.method = .init(rawValue: method)
    request.headers.add(name: "x-castle-token", value: owner.token)
    if !body.isEmpty { request.body = .bytes(ByteBuffer(bytes: body)) }
    return request
  }

  private func send(
    _ method: String, _ path: String, _ query: [String: String], _ body: [UInt8], timeout: TimeAmount
  ) async throws -> HTTPClientResponse {
    do {
      return try await Self.http.execute(request(method, path, query, body: body), timeout: timeout)
    } catch let error as HTTPClientError where error == .connectTimeout || error == .remoteConnectionClosed {
      throw Complaint("The castle at \(endpoint) does not answer. See: castle status")
    } catch is NIOConnectionError {
      throw Complaint("Nothing listens at \(endpoint). Start the castle again with castle up.")
    }
  }

  /// Calls one of Castle's own paths.
  /// - Throws: a `Complaint` with the castle's own message.
  @discardableResult
  func call(
    _ method: String, _ path: String, _ query: [String: String] = [:], body: [UInt8] = []
  ) async throws -> JSONValue {
    let response = try await send(method, path, query, body, timeout: .seconds(120))
    let bytes = try await response.body.collect(upTo: 64 << 20)
    let data = Data(bytes.readableBytesView)
    let answer =
      (try? JSONDecoder().decode(JSONValue.self, from: data)) ?? .string(String(decoding: data, as: UTF8.self))
    guard response.status == .ok else {
      throw Complaint(answer["message"]?.text ?? answer.text ?? "The castle answered \(response.status.code).")
    }
    return answer
  }

  /// Reads a path that answers with JSON lines, until it ends.
  func lines(_ path: String, _ query: [String: String], _ body: (JSONValue) throws -> Void) async throws {
    let response = try await send("GET", path, query, [], timeout: .hours(24 * 365))
    var rest: [UInt8] = []
    for try await chunk in response.body {
      rest += chunk.readableBytesView
      while let end = rest.firstIndex(of: 10) {
        let line = rest[..<end]
        rest.removeSubrange(...end)
        guard !line.isEmpty else { continue }
        try body(try JSONDecoder().decode(JSONValue.self, from: Data(line)))
      }
    }
    guard response.status == .ok else {
      let answer = try? JSONDecoder().decode(JSONValue.self, from: Data(rest))
      throw Complaint(answer?["message"]?.text ?? "The castle answered \(response.status.code).")
    }
  }
}
