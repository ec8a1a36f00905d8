// The frontend's only way to the backend: BACKEND_URL, through the internal load balancer.
import AsyncHTTPClient
import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import StorefrontKit
import Synchronization

/// The backend answered with an error, or not at all.
struct BackendError: Error, CustomStringConvertible {
  /// Its status, or nil when there was no answer.
  let status: Int?
  /// Its words for people, or what went wrong on the way.
  let text: String

  var description: String { "backend \(status.map(String.init) ?? "unreachable"): \(text)" }
}

/// Which backend tasks a page was made by; a page may ask more than one.
final class ServedBy: Sendable {
  private let names = Mutex<[String]>([])

  /// Notes a task.
  func note(_ task: String?) {
    guard let task else { return }
    names.withLock { if !$0.contains(task) { $0.append(task) } }
  }

  /// The tasks in the order they were met.
  var tasks: [String] { names.withLock { $0 } }
}

/// The backend as seen from one request: carries its trace and its session.
struct Backend: Sendable {
  /// A request that met a broken connection, or a load balancer with no answer from a task, is sent again until then.
  /// Everything the frontend asks of the backend may be done twice: reads, quantities, named additions and checkouts.
  static let patience = Duration.seconds(10)
  static let timeout = TimeAmount.seconds(15)
  static let firstPause = Duration.milliseconds(30)
  static let longestPause = Duration.milliseconds(500)
  static let answerMax = 1 << 20

  let client: HTTPClient
  let base: String
  let trace: Trace
  let session: String
  let servedBy = ServedBy()

  /// Asks for something and decodes the answer.
  /// - Throws: ``BackendError``.
  func get<Answer: Decodable>(_ path: String, as type: Answer.Type = Answer.self) async throws -> Answer {
    try await call(.GET, path, body: nil)
  }

  /// Sends something and decodes the answer.
  /// - Throws: ``BackendError``.
  @discardableResult
  func send<Answer: Decodable>(
    _ method: HTTPMethod, _ path: String, _ body: some Encodable, as type: Answer.Type = Answer.self
  ) async throws -> Answer {
    try await call(method, path, body: try JSONEncoder().encode(body))
  }

  private func call<Answer: Decodable>(_ method: HTTPMethod, _ path: String, body: Data?) async throws -> Answer {
    let response = try await execute(method, path, body: body)
    let bytes: ByteBuffer
    do {
      bytes = try await response.body.collect(upTo: Self.answerMax)
    } catch {
      throw BackendError(status: nil, text: "\(error)")
    }
    let data = Data(bytes.readableBytesView)
    guard (200..<300).contains(response.status.code) else {
      let problem = try? JSONDecoder().decode(Problem.self, from: data)
      throw BackendError(
        status: Int(response.status.code), text: problem?.error ?? "The answer was \(response.status.code).")
    }
    do {
      return try JSONDecoder().decode(Answer.self, from: data)
    } catch {
      throw BackendError(status: Int(response.status.code), text: "its answer cannot be read: \(error)")
    }
  }

  /// Sends a request, again when it may help, and gives the answer with its body still to come.
  /// - Throws: ``BackendError`` when there was none.
  func execute(
    _ method: HTTPMethod, _ path: String, body: Data? = nil, headers: [(String, String)] = []
  ) async throws -> HTTPClientResponse {
    var request = HTTPClientRequest(url: base + path)
    request.method = method
    for field in trace.fields { request.headers.add(name: field.name.rawName, value: field.value) }
    request.headers.add(name: HTTPField.Name.session.rawName, value: session)
    for (name, value) in headers { request.headers.add(name: name, value: value) }
    if let body {
      request.headers.add(name: "Content-Type", value: "application/json")
      request.body = .bytes(ByteBuffer(bytes: body))
    }
    let deadline = ContinuousClock.now + Self.patience
    var pause = Self.firstPause
    while true {
      let failure: BackendError
      do {
        let response = try await client.execute(request, timeout: Self.timeout)
        guard [502, 503, 504].contains(response.status.code), ContinuousClock.now < deadline else {
          servedBy.note(response.headers.first(name: HTTPField.Name.backendTask.rawName))
          return response
        }
        // The connection can serve again only when this answer has been read.
        _ = try await response.body.collect(upTo: Self.answerMax)
        failure = BackendError(status: Int(response.status.code), text: "no task answered")
      } catch let error where !(error is CancellationError) {
        failure = BackendError(status: nil, text: "\(error)")
      }
      guard ContinuousClock.now < deadline else { throw failure }
      try await Task.sleep(for: pause)
      pause = min(pause * 2, Self.longestPause)
    }
  }
}
