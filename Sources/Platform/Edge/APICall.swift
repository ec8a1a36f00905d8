// One call of an AWS API, from the routed head to the encoded answer.

import AWSCore
import AWSWire
import Crypto
import FoundationEssentials
import Logging
import ServiceKit
import SigV4
import Synchronization

struct APICall: Sendable {
  let incoming: Incoming
  let requestID: String
  let chain: RequestChain
  private var routed: RoutedRequest?
  private var identity: Admission.Identity?
  private var request: WireRequest
  private var isForm = false
  private var failedRouting: RoutingFailure?
  /// The head as it was signed.
  private let signedHead: SigV4.Request
  private let parsed: Result<SigV4.ParsedAuthorization, SigV4.Failure>

  init(incoming: Incoming, requestID: String, chain: RequestChain) {
    self.incoming = incoming
    self.requestID = requestID
    self.chain = chain
    request = incoming.head
    signedHead = SigV4.Request(
      method: request.method, path: request.path, query: request.query,
      headers: request.headers.fields.map { (name: $0.name, value: $0.value) })
    parsed = Result(catching: { [signedHead] () throws(SigV4.Failure) in try SigV4.ParsedAuthorization(signedHead) })
  }

  private var now: Timestamp { chain.environment.clock.now }

  private var style: SigV4.ErrorStyle {
    guard let routed else { return .query }
    switch routed.wireProtocol {
    case .query: return .query
    case .ec2: return .ec2
    case .restXML: return routed.model.header.signingName == "s3" ? .s3 : .query
    default: return .json
    }
  }

  // MARK: - Head

  /// Finds service and operation. A form's operation stands in its body, which is then read first.
  mutating func route() async throws {
    if request.method == "POST", request.headers["x-amz-target"] == nil,
      request.headers["content-type"]?.lowercased().hasPrefix("application/x-www-form-urlencoded") == true
    {
      request.body = try await chain.collect(incoming.body)
      isForm = true
    }
    do {
      let found = try chain.router.route(request, signingName: try? parsed.get().scope.service)
      routed = found
      guard found.isBuilt else { throw notBuilt(found) }
    } catch let failure as RoutingFailure {
      self.failedRouting = failure
      throw failure.error
    }
  }

  private func notBuilt(_ routed: RoutedRequest) -> AWSError {
    .notImplemented(service: routed.model.header.serviceID, operation: routed.operationName)
  }

  /// Finds who calls; on S3 the signature is checked here, before a byte of the body is read.
  mutating func identify() async throws {
    guard let routed else { return }
    let isOpen = chain.dispatcher.isOpen(routed.model, routed.operationName)
    var found = try await chain.admission.identify(parsed, style: style, isOpen: isOpen, now: now)
    if style == .s3 { try chain.admission.verify(&found, signedHead, style: .s3, now: now, payloadHash: nil) }
    identity = found
  }

  // MARK: - Body and call

  func run() async -> Finished {
    guard let routed, let identity else { return failure(AWSError("InternalFailure", "", status: 500), closes: true) }
    do {
      let streams = chain.dispatcher.takesStream(routed.model, routed.operationName)
      guard let operation = routed.operation else { throw notBuilt(routed) }
      var whole = routed.request
      var identity = identity
      let body = RequestBodyReader(incoming: incoming, identity: identity, head: request)
      if !streams, !isForm { whole.body = try await body.collect(limit: RequestChain.bodyBytesMax) }
      if style != .s3 {
        let hash = SigV4.payloadHash(whole.body)
        try chain.admission.verify(&identity, signedHead, style: style, now: now, payloadHash: hash)
      }
      let input = try routed.codec.decode(whole, operation: operation, model: routed.model)
      try Validation.check(input, operation: operation, model: routed.model, wireProtocol: routed.wireProtocol)
      let (output, stream) = try await chain.dispatcher.run(
        routed.model, routed.operationName, input, body: streams ? body.stream : nil, context(routed, identity))
      let response = routed.response(output: output, requestID: requestID)
      return Finished(
        response: response, stream: stream.map { Finished.Stream.sized($0) },
        closesConnection: streams && !body.wasReadToEnd)
    } catch {
      return failure(error, closes: !isForm)
    }
  }

  private func context(_ routed: RoutedRequest, _ identity: Admission.Identity) -> CallContext {
    let region = identity.authorization?.scope.region
    let scheme = incoming.isTLS ? "https" : "http"
    return CallContext(
      principal: identity.principal, account: identity.account,
      region: region.flatMap { $0.isEmpty ? nil : $0 } ?? chain.environment.region, requestID: requestID,
      environment: chain.environment, sourceAddress: incoming.source, userAgent: request.headers["user-agent"] ?? "",
      isSecure: incoming.isTLS || incoming.source.hasPrefix("127.") || incoming.source == "::1",
      endpoint: incoming.authority.map { "\(scheme)://\($0)" })
  }

  /// The error in the protocol's own shape.
  func failure(_ error: any Error, closes: Bool) -> Finished {
    let what = routed.map { "\($0.model.header.signingName):\($0.operationName)" } ?? incoming.head.path
    let known = RequestChain.known(error, chain.environment.logger, what)
    let response: WireResponse
    if let routed {
      response = routed.response(error: known, requestID: requestID)
    } else if let failedRouting {
      response = failedRouting.response(requestID: requestID)
    } else {
      response = WireProtocol.restXML.codec.encode(
        error: known, operation: nil, model: nil, requestID: requestID, resource: incoming.head.path)
    }
    return Finished(response: response, closesConnection: closes && (incoming.declaredLength ?? 0) > 0)
  }
}

/// Reads a request's body: as it is, or out of aws-chunked coding, its hash checked at its end.
final class RequestBodyReader: Sendable {
  private let incoming: Incoming
  private let expectedHash: String?
  private let decoder: Mutex<SigV4.ChunkedDecoder?>
  private let hash = Mutex(SHA256())
  private let finished = Mutex(false)
  private let length: Int?

  init(incoming: Incoming, identity: Admission.Identity, head: WireRequest) {
    self.incoming = incoming
    let decoded = head.headers["x-amz-decoded-content-length"].flatMap { Int($0) }
    let stated = head.headers["x-amz-content-sha256"]
    var decoder: SigV4.ChunkedDecoder?
    if let verified = identity.verified {
      decoder = verified.chunkedDecoder(decodedLength: decoded)
    } else if let stated, let mode = SigV4.StreamingMode(rawValue: stated) {
      // A throw-away key: the coding is undone, the chunks' signatures are not checked.
      decoder = SigV4.ChunkedDecoder(mode: mode, signing: nil, decodedLength: decoded)
    }
    length = decoder == nil ? incoming.declaredLength : decoded
    expectedHash = stated.flatMap { $0.utf8.count == 64 ? $0.lowercased() : nil }
    self.decoder = Mutex(decoder)
  }

  var wasReadToEnd: Bool { finished.withLock { $0 } || incoming.declaredLength == 0 || incoming.declaredLength == nil }

  var stream: ServiceKit.RequestBody {
    ServiceKit.RequestBody(
      length: length,
      trailers: { [self] in
        decoder.withLock { decoder in
          Dictionary((decoder?.trailers ?? []).map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        }
      },
      { [self] in
        var iterator = incoming.body.makeAsyncIterator()
        return ServiceKit.RequestBody.AsyncIterator { [self] in
          while let buffer = try await iterator.next() {
            let bytes = try take(Array(buffer.readableBytesView))
            if !bytes.isEmpty { return bytes }
          }
          try end()
          return nil
        }
      })
  }

  func collect(limit: Int) async throws -> [UInt8] { try await stream.collect(limit: limit) }

  private func take(_ bytes: [UInt8]) throws -> [UInt8] {
    let decoded = try decoder.withLock { decoder throws(AWSError) -> [UInt8]? in try decoder?.feed(bytes) }
    if decoded == nil, expectedHash != nil { hash.withLock { $0.update(data: bytes) } }
    return decoded ?? bytes
  }

  private func end() throws {
    guard
      !finished.withLock({ done in
        defer { done = true }
        return done
      })
    else { return }
    let wasChunked = try decoder.withLock { decoder throws(AWSError) -> Bool in
      try decoder?.finish()
      return decoder != nil
    }
    guard !wasChunked, let expectedHash else { return }
    let found = hash.withLock { $0.finalize().withUnsafeBytes { hexadecimal($0) } }
    if found != expectedHash {
      throw SigV4.Failure.contentHashMismatch(client: expectedHash, computed: found).awsError(.s3)
    }
  }
}
