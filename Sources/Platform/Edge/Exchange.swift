// One request and its answer, between NIO's types and the chain's.

import AWSCore
import AWSWire
import NIOCore
import NIOHTTP1
import ServiceKit

/// A request off the socket.
struct Exchange: Sendable {
  let head: HTTPRequestHead
  let body: IncomingBody
  let channel: any Channel
  let isTLS: Bool

  /// Bodies up to this many bytes go out in one piece with their head.
  private static let oneWriteMax = 64 << 10

  /// Runs the chain and writes its answer.
  /// - Returns: whether the connection takes further requests.
  /// - Throws: when the connection broke.
  func respond(_ chain: RequestChain, _ writer: ResponseWriter) async throws -> Bool {
    let incoming = Incoming(
      head: request, authority: head.headers.first(name: "host"), body: body, isTLS: isTLS, source: source,
      declaredLength: head.headers.first(name: "content-length").flatMap { Int($0) })
    let answer = await chain.answer(incoming)
    if answer.readsBody, head.headers.first(name: "expect")?.lowercased() == "100-continue" {
      writer.informational(.continue)
    }
    let finished = await answer.finish()
    // A body that was not read to its end leaves the connection in the middle of a request: it is closed.
    let closes = finished.closesConnection || !head.isKeepAlive
    var response = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: finished.response.status),
      headers: ResponseFields.headers(finished.response.headers.fields))
    if closes { response.headers.replaceOrAdd(name: "connection", value: "close") }
    let waits = closes || finished.afterwards != nil
    switch finished.stream {
    case nil:
      let status = finished.response.status
      if status != 204, !response.headers.contains(name: "content-length") {
        response.headers.add(name: "content-length", value: String(finished.response.body.count))
      }
      let hasBody = head.method != .HEAD && status != 304
      try await writer.whole(response, hasBody ? finished.response.body : [], waits: waits)
    case .sized(let body):
      response.headers.replaceOrAdd(name: "content-length", value: String(body.length))
      if head.method == .HEAD || body.length == 0 {
        try await writer.whole(response, [], waits: waits)
      } else if body.length <= Self.oneWriteMax {
        try await writer.whole(response, try await body.collect(limit: Self.oneWriteMax), waits: waits)
      } else {
        try await writer.begin(response)
        // Thrown through to the connection, which is then closed: nobody takes a part for the whole.
        try await body.write { try await writer.chunk($0) }
        try await writer.end()
      }
    case .endless(let write):
      try await writer.begin(response)
      try await write { try await writer.chunk($0) }
      try await writer.end()
    }
    finished.afterwards?()
    return !closes
  }

  private var source: String { channel.remoteAddress?.ipAddress ?? "127.0.0.1" }

  private var request: WireRequest {
    let target = Self.target(head.uri)
    let mark = target.utf8.firstIndex(of: UInt8(ascii: "?"))
    var headers = WireHeaders()
    headers.fields.reserveCapacity(head.headers.count)
    for (name, value) in head.headers { headers.append(name, value) }
    return WireRequest(
      method: head.method.rawValue, path: String(target[..<(mark ?? target.endIndex)]),
      query: mark.map { String(target[target.index(after: $0)...]) } ?? "", headers: headers)
  }

  /// Path and query, also of a request that names the whole URL, as to a proxy (RFC 9112, 3.2.2).
  private static func target(_ uri: String) -> Substring {
    guard uri.utf8.first != UInt8(ascii: "/"), let scheme = uri.firstRange(of: "://") else { return uri[...] }
    let rest = uri[scheme.upperBound...]
    guard let path = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) else { return "/" }
    return rest[path] == "/" ? rest[path...] : "/" + rest[path...]
  }
}

/// Header fields of an answer, as they may go onto the wire.
enum ResponseFields {
  /// Names that are none are left out, and bytes that would end a field's line become spaces (RFC 9110, 5.1 and 5.5):
  /// values such as an object's metadata come from callers.
  static func headers(_ fields: [WireHeaders.Field]) -> HTTPHeaders {
    var headers = HTTPHeaders()
    headers.reserveCapacity(fields.count + 2)
    for field in fields where isToken(field.name) { headers.add(name: field.name, value: legal(field.value)) }
    return headers
  }

  private static func isToken(_ name: String) -> Bool {
    !name.isEmpty
      && name.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"): true
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
        default: false
        }
      }
  }

  private static func legal(_ value: String) -> String {
    if value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }) { return value }
    let bytes = value.utf8.map { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 ? $0 : 0x20 }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// What the chain is given.
struct Incoming: Sendable {
  var head: WireRequest
  var authority: String?
  var body: IncomingBody
  var isTLS: Bool
  var source: String
  var declaredLength: Int?
}

/// What the chain gives back: known from the head whether the body is wanted, then the answer itself.
struct Answer: Sendable {
  /// The client may send its body (`100 Continue`).
  var readsBody: Bool
  var finish: @Sendable () async -> Finished

  /// An answer that needs no body.
  static func now(_ finished: Finished) -> Answer { Answer(readsBody: false) { finished } }
}

struct Finished: Sendable {
  enum Stream: Sendable {
    case sized(ServiceKit.ResponseBody)
    case endless(@Sendable (_ write: ([UInt8]) async throws -> Void) async throws -> Void)
  }
  var response: WireResponse
  var stream: Stream?
  var closesConnection = false
  /// Runs once the answer is written.
  var afterwards: (@Sendable () -> Void)?
}
