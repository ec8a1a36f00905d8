// One request and its answer, between Hummingbird's types and the chain's.

import AWSCore
import AWSWire
import HTTPTypes
import HummingbirdCore
import NIOCore
import ServiceKit
import Synchronization

/// A request off the socket.
struct Exchange: Sendable {
  let request: Request
  let channel: any Channel
  let isTLS: Bool

  /// Bodies up to this many bytes go out in one piece with their head.
  private static let oneWriteMax = 64 << 10

  /// Runs the chain and writes its answer.
  func respond(_ chain: RequestChain, _ writer: consuming ResponseWriter) async throws {
    let incoming = Incoming(
      head: head, authority: request.head.authority, body: request.body, isTLS: isTLS, source: source,
      declaredLength: request.headers[.contentLength].flatMap { Int($0) })
    let expectsContinue = request.headers[.expect]?.lowercased() == "100-continue"
    let answer = await chain.answer(incoming)
    if expectsContinue, answer.readsBody { try await writer.writeInformationalHead(HTTPResponse(status: .continue)) }
    let finished = await answer.finish()
    var fields = HTTPFields()
    for field in finished.response.headers.fields {
      if let name = HTTPField.Name(field.name) { fields.append(HTTPField(name: name, value: field.value)) }
    }
    let isHead = request.method == .head
    // A body that was not read to its end leaves the connection in the middle of a request: it is closed.
    if finished.closesConnection { fields[.connection] = "close" }
    switch finished.stream {
    case nil:
      if fields[.contentLength] == nil, finished.response.status != 204 {
        fields[.contentLength] = String(finished.response.body.count)
      }
      let head = HTTPResponse(status: .init(code: finished.response.status), headerFields: fields)
      if isHead || finished.response.status == 304 || finished.response.body.isEmpty {
        try await writer.writeResponse(head)
      } else {
        try await writer.write(
          response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: finished.response.body)))
      }
    case .sized(let body):
      fields[.contentLength] = String(body.length)
      let head = HTTPResponse(status: .init(code: finished.response.status), headerFields: fields)
      if isHead || body.length == 0 {
        try await writer.writeResponse(head)
      } else if body.length <= Self.oneWriteMax {
        let bytes = try await body.collect(limit: Self.oneWriteMax)
        try await writer.write(response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
      } else {
        var out = try await writer.writeHead(head)
        // Thrown through to the connection, which is then closed: nobody takes a part for the whole.
        try await body.write { try await out.write(ByteBuffer(bytes: $0)) }
        try await out.finish(nil)
      }
    case .endless(let write):
      var out = try await writer.writeHead(
        HTTPResponse(status: .init(code: finished.response.status), headerFields: fields))
      try await write { try await out.write(ByteBuffer(bytes: $0)) }
      try await out.finish(nil)
    }
    finished.afterwards?()
    if finished.closesConnection { try await channel.close() }
  }

  private var source: String { channel.remoteAddress?.ipAddress ?? "127.0.0.1" }

  private var head: WireRequest {
    let target = request.head.path ?? "/"
    let mark = target.firstIndex(of: "?")
    var headers = WireHeaders()
    if let authority = request.head.authority { headers.append("Host", authority) }
    for field in request.headers { headers.append(field.name.rawName, field.value) }
    return WireRequest(
      method: request.method.rawValue, path: String(target[..<(mark ?? target.endIndex)]),
      query: mark.map { String(target[target.index(after: $0)...]) } ?? "", headers: headers)
  }
}

/// What the chain is given.
struct Incoming: Sendable {
  var head: WireRequest
  var authority: String?
  var body: HummingbirdCore.RequestBody
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
