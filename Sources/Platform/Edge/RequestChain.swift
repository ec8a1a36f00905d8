// The request chain, in the order in which it runs: guard, Castle's own paths, routing, identity, body, decoding,
// validation, dispatch, encoding. One page, so that what happens to a request can be read from top to bottom.

import AWSCore
import AWSWire
import Crypto
import Logging
import ServiceKit
import SigV4

/// Everything between a request and its answer.
public struct RequestChain: Sendable {
  let environment: ServiceEnvironment
  let dispatcher: Dispatcher
  let admission: Admission
  let router: ServiceRouter
  let routes: [ControlRoute]
  /// Those that AWS has at a host of their own, with its beginning: every request is asked for them.
  private let hosted: [(host: String, path: String)]
  let token: String
  let hosts = HostGuard()

  /// The largest body that is read into memory, in bytes: the largest of any API but S3's objects.
  static let bodyBytesMax = 16 << 20

  public init(
    environment: ServiceEnvironment, dispatcher: Dispatcher, admission: Admission, routes: [ControlRoute], token: String
  ) {
    self.environment = environment
    self.dispatcher = dispatcher
    self.admission = admission
    self.routes = routes
    hosted = routes.compactMap { route in route.host.map { ($0, route.path) } }
    self.token = token
    router = ServiceRouter(models: dispatcher.models)
  }

  func answer(_ incoming: Incoming) async -> Answer {
    let head = incoming.head
    if let refusal = hosts.refusal(
      host: head.headers["host"], origin: head.headers["origin"], fetchSite: head.headers["sec-fetch-site"])
    {
      return .now(Finished(response: .text(403, refusal), closesConnection: true))
    }
    if head.path == "/_castle" || head.path.hasPrefix("/_castle/") {
      let path = String(head.path.dropFirst("/_castle".count))
      return control(incoming, path.isEmpty ? "/" : path)
    }
    if let path = hostPath(head) { return control(incoming, path) }
    return await api(incoming)
  }

  // MARK: - Castle's own paths

  /// The path of ours for which AWS has a host; nil for every other host.
  private func hostPath(_ head: WireRequest) -> String? {
    let name = HostGuard.name(head.headers["host"] ?? "")
    return hosted.first { name.hasPrefix($0.host) }.map { $0.path + head.path.drop { $0 == "/" } }
  }

  /// - Parameter path: behind `/_castle`.
  private func control(_ incoming: Incoming, _ path: String) -> Answer {
    let head = incoming.head
    guard let route = routes.first(where: { $0.matches(head.method, path) }) else {
      return .now(
        Finished(response: .text(404, "There is no \(head.method) \(head.path) here."), closesConnection: true))
    }
    let query = Self.parameters(head.query)
    if route.access == .token, !holdsToken(head, query) {
      return .now(
        Finished(
          response: .text(401, "This path opens with the castle's token: use the link that castle status prints."),
          closesConnection: true))
    }
    return Answer(readsBody: true) {
      do {
        let body = try await collect(incoming.body)
        var headers: [String: String] = [:]
        for field in head.headers.fields { headers[field.name.lowercased()] = field.value }
        let response = try await route.handler(
          ControlRequest(
            method: head.method, path: path, query: query, headers: headers, body: body))
        var wire = WireResponse(status: response.status, body: response.body)
        for (name, value) in response.headers { wire.headers.append(name, value) }
        return Finished(
          response: wire, stream: response.stream.map { .endless($0) }, afterwards: response.afterwards)
      } catch {
        let known = Self.known(error, environment.logger, "control")
        let body = JSONValue.object(["code": .string(known.code), "message": .string(known.message)])
        return Finished(
          response: WireResponse(
            status: known.status, headers: ["content-type": "application/json"], body: Array(body.description.utf8)))
      }
    }
  }

  private func holdsToken(_ head: WireRequest, _ query: [String: String]) -> Bool {
    let cookies = (head.headers["cookie"] ?? "").split(separator: ";").map { $0.drop { $0 == " " } }
    let offered =
      head.headers["x-castle-token"] ?? query["token"]
      ?? cookies.first { $0.hasPrefix("castle-token=") }.map { String($0.dropFirst("castle-token=".count)) }
    guard let offered else { return false }
    return SigV4.constantTimeEquals(offered, token)
  }

  static func parameters(_ query: String) -> [String: String] {
    var result: [String: String] = [:]
    for pair in query.split(separator: "&") {
      let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      result[PercentEncoding.decode(halves[0], plusIsSpace: true)] =
        halves.count > 1 ? PercentEncoding.decode(halves[1], plusIsSpace: true) : ""
    }
    return result
  }

  // MARK: - AWS's APIs

  private func api(_ incoming: Incoming) async -> Answer {
    let requestID = environment.ids.uuid()
    var call = APICall(incoming: incoming, requestID: requestID, chain: self)
    do {
      try await call.route()
      try await call.identify()
    } catch {
      return .now(call.failure(error, closes: incoming.declaredLength != 0))
    }
    let ready = call
    return Answer(readsBody: true) { await ready.run() }
  }

  func collect(_ body: IncomingBody, limit: Int = bodyBytesMax) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    for try await chunk in body {
      guard bytes.count + chunk.readableBytes <= limit else {
        throw AWSError("RequestEntityTooLarge", "The request body is longer than \(limit) bytes.", status: 413)
      }
      bytes.append(contentsOf: chunk.readableBytesView)
    }
    return bytes
  }

  /// The error as the caller may know it. What nobody foresaw is an InternalFailure, and logged with its cause.
  static func known(_ error: any Error, _ logger: Logger, _ what: String) -> AWSError {
    if let known = error as? AWSError { return known }
    if error is CancellationError {
      return AWSError("ServiceUnavailable", "The castle is stopping.", status: 503)
    }
    logger.error("unexpected error", metadata: ["in": "\(what)", "error": "\(error)"])
    return AWSError("InternalFailure", "An internal error has occurred.", status: 500)
  }
}

extension WireResponse {
  static func text(_ status: Int, _ text: String) -> WireResponse {
    WireResponse(
      status: status, headers: ["content-type": "text/plain; charset=utf-8"], body: Array((text + "\n").utf8))
  }
}
