// Finds out what a request asks for: which service, in which protocol, which operation.

import AWSCore

/// A request whose service, protocol and operation are known.
public struct RoutedRequest: Sendable {
  public let model: ServiceModel
  public let wireProtocol: WireProtocol
  /// The operation's name, built here or not.
  public let operationName: String
  /// Nil when the operation is known to AWS but not built here.
  public let operation: OperationModel?
  /// The request with its path in the form of the model's URI templates: a bucket in the host name has become the first
  /// part of the path. Signatures are over the request as it came.
  public let request: WireRequest

  public var isBuilt: Bool { operation != nil }

  /// Whether the request's body is a stream (an object's bytes) that `input()` leaves alone.
  public var hasStreamingInput: Bool { isStreaming(operation?.input) }
  /// Whether the answer's body is a stream that the caller has to add.
  public var hasStreamingOutput: Bool { isStreaming(operation?.output) }

  private func isStreaming(_ index: Int?) -> Bool {
    guard let index, case .structure(let members) = model.shape(index).kind else { return false }
    return members.contains(where: \.isStreaming)
  }
  public var codec: any ProtocolCodec { wireProtocol.codec }

  /// The input, read and checked against the model's constraints.
  /// - Throws: 501 for an operation that is not built, or the protocol's error for what is wrong with the input.
  public func input() throws(AWSError) -> StructureValue {
    guard let operation else {
      throw AWSError.notImplemented(service: model.header.serviceID, operation: operationName)
    }
    let input = try codec.decode(request, operation: operation, model: model)
    try Validation.check(input, operation: operation, model: model, wireProtocol: wireProtocol)
    return input
  }

  public func response(output: StructureValue, requestID: String) -> WireResponse {
    guard let operation else {
      return response(
        error: .notImplemented(service: model.header.serviceID, operation: operationName), requestID: requestID)
    }
    return codec.encode(output: output, operation: operation, model: model, requestID: requestID)
  }

  public func response(error: AWSError, requestID: String) -> WireResponse {
    var response = codec.encode(
      error: error, operation: operation, model: model, requestID: requestID, resource: request.path)
    if request.method == "HEAD" { response.body = [] }
    return response
  }
}

/// A request that no operation was found for, with what is needed to tell its sender so in its own protocol.
public struct RoutingFailure: Error, Sendable {
  public let error: AWSError
  /// Nil when not even the service is known.
  public let model: ServiceModel?
  public let wireProtocol: WireProtocol
  public let request: WireRequest

  public func response(requestID: String) -> WireResponse {
    var response = wireProtocol.codec.encode(
      error: error, operation: nil, model: model, requestID: requestID, resource: request.path)
    if request.method == "HEAD" { response.body = [] }
    return response
  }
}

/// Knows all services and tells requests apart. The order: an RPC v2 path, `X-Amz-Target`, the signature's service, the
/// host's name, a form's `Action`, a REST path that only one service has, and S3 for what is left.
public struct ServiceRouter: Sendable {
  private let models: [ServiceModel]
  private let byTarget: [String: ServiceModel]
  private let bySigningName: [String: [ServiceModel]]
  private let byEndpoint: [String: ServiceModel]
  private let rest: [String: RESTRouter]
  private let s3: ServiceModel?
  private let hosts: HostNames

  /// - Parameters:
  ///   - models: the services, in order of preference where several know an action.
  ///   - bucketSuffixes: host names below which a name is a bucket (`BUCKET.localhost`), besides `BUCKET.s3.…`.
  public init(models: [ServiceModel], bucketSuffixes: [String] = ["localhost"]) {
    self.models = models
    var byTarget: [String: ServiceModel] = [:]
    var bySigningName: [String: [ServiceModel]] = [:]
    var byEndpoint: [String: ServiceModel] = [:]
    var rest: [String: RESTRouter] = [:]
    for model in models {
      let header = model.header
      if !header.targetPrefix.isEmpty { byTarget[header.targetPrefix.lowercased()] = model }
      bySigningName[header.signingName, default: []].append(model)
      byEndpoint[header.endpointPrefix] = model
      if !header.knownRoutes.isEmpty { rest[header.endpointPrefix] = RESTRouter(model) }
    }
    self.byTarget = byTarget
    self.bySigningName = bySigningName
    self.byEndpoint = byEndpoint
    self.rest = rest
    s3 = byEndpoint["s3"]
    hosts = HostNames(services: Set(byEndpoint.keys), bucketSuffixes: bucketSuffixes)
  }

  /// Whether a request's body has to be there before it can be routed: only forms name their operation in it.
  public static func needsBody(_ request: WireRequest) -> Bool {
    guard request.method == "POST", request.headers["X-Amz-Target"] == nil else { return false }
    guard let type = request.headers["Content-Type"] else { return request.path == "/" }
    return type.hasPrefix("application/x-www-form-urlencoded")
  }

  /// Finds a request's operation.
  /// - Parameter signingName: the service in the credential scope of the request's signature (header or presigned URL);
  ///   nil when it is not signed with SigV4.
  /// - Throws: `UnknownOperationException`, `InvalidAction` and the like, or 501 for what AWS knows and we do not.
  public func route(_ request: WireRequest, signingName: String? = nil) throws(RoutingFailure) -> RoutedRequest {
    if request.headers["smithy-protocol"] == "rpc-v2-cbor" || request.path.hasPrefix("/service/"),
      let routed = try rpc(request)
    {
      return routed
    }
    if let target = request.headers["X-Amz-Target"] { return try json(request, target, signingName) }
    let host = hosts.read(request.headers["Host"] ?? "")
    if let signingName, !signingName.isEmpty {
      guard let candidates = bySigningName[signingName] ?? byEndpoint[signingName].map({ [$0] }) else {
        throw RoutingFailure(
          error: .notImplemented("the service \(signingName)"), model: nil,
          wireProtocol: guess(request, signingName), request: request)
      }
      return try route(request, among: candidates, host)
    }
    if let service = host.service, let model = byEndpoint[service] { return try route(request, among: [model], host) }
    // Forms go to the root; below it a parameter called Action is a bucket's or an object's own affair.
    if host.bucket == nil, request.path == "/", let parameters = action(request) {
      return try form(request, parameters, among: models.filter { isForm($0) })
    }
    if host.bucket == nil {
      for model in models where model.header.endpointPrefix != "s3" {
        if let router = rest[model.header.endpointPrefix], router.owns(request) {
          return try route(request, among: [model], host)
        }
      }
    }
    guard let s3 else {
      throw RoutingFailure(
        error: AWSError("UnknownOperationException", "The request names no service."), model: nil,
        wireProtocol: guess(request), request: request)
    }
    return try route(request, among: [s3], host)
  }

  /// AWS's services that speak XML over REST. All others that speak REST speak JSON.
  private static let restXMLNames: Set<String> = ["s3", "s3-object-lambda", "s3-outposts", "route53", "cloudfront"]

  private func guess(_ request: WireRequest, _ signingName: String? = nil) -> WireProtocol {
    let type = request.headers["Content-Type"] ?? ""
    if request.headers["X-Amz-Target"] != nil || type.hasPrefix("application/x-amz-json") { return .json }
    if type.hasPrefix("application/cbor") { return .cbor }
    if type.hasPrefix("application/x-www-form-urlencoded") || action(request) != nil { return .query }
    guard let signingName, !Self.restXMLNames.contains(signingName) else { return .restXML }
    return .restJSON
  }

  private func routed(_ request: WireRequest, _ model: ServiceModel, _ wire: WireProtocol, _ name: String)
    -> RoutedRequest
  {
    RoutedRequest(
      model: model, wireProtocol: wire, operationName: name, operation: model.operation(name), request: request)
  }

  private func route(_ request: WireRequest, among candidates: [ServiceModel], _ host: HostNames.Meaning)
    throws(RoutingFailure) -> RoutedRequest
  {
    if let model = candidates.first, let router = rest[model.header.endpointPrefix] {
      var request = request
      if model.header.endpointPrefix == "s3", let bucket = host.bucket { request.path = "/\(bucket)\(request.path)" }
      let wire = model.header.protocols.first { $0 == .restXML || $0 == .restJSON } ?? .restXML
      switch router.find(request) {
      case .success(let name): return routed(request, model, wire, name)
      case .failure(let error):
        throw RoutingFailure(error: error, model: model, wireProtocol: wire, request: request)
      }
    }
    if let parameters = action(request) { return try form(request, parameters, among: candidates) }
    let model = candidates.first
    let wire = model?.header.protocols.first ?? .query
    let error =
      wire == .query || wire == .ec2
      ? AWSError("MissingAction", "The request is missing an action or a required parameter.")
      : AWSError("UnknownOperationException", "The request names no operation.")
    throw RoutingFailure(error: error, model: model, wireProtocol: wire, request: request)
  }

  // MARK: - The protocols that name the operation

  private func rpc(_ request: WireRequest) throws(RoutingFailure) -> RoutedRequest? {
    let parts = request.path.split(separator: "/")
    guard parts.count >= 4, parts[parts.count - 4] == "service", parts[parts.count - 2] == "operation" else {
      return nil
    }
    let service = String(parts[parts.count - 3])
    let name = String(parts[parts.count - 1])
    let model =
      byTarget[service.lowercased()]
      ?? models.first {
        $0.header.serviceID.replacing(" ", with: "") == service || $0.header.endpointPrefix == service
      }
    guard let model, model.header.protocols.contains(.cbor) else {
      // Only the header says for sure that it was not an object called so.
      guard request.headers["smithy-protocol"] != nil else { return nil }
      throw RoutingFailure(
        error: AWSError("UnknownOperationException", "No service \(service) speaks this protocol here.", status: 404),
        model: model, wireProtocol: .cbor, request: request)
    }
    guard model.header.knownOperations.contains(name) else {
      throw unknown(request, model, .cbor, name)
    }
    return routed(request, model, .cbor, name)
  }

  private func json(
    _ request: WireRequest, _ target: String, _ signingName: String?
  ) throws(RoutingFailure) -> RoutedRequest {
    guard let dot = target.lastIndex(of: "."), let model = byTarget[target[..<dot].lowercased()] else {
      // A service of AWS that is not built here, as far as its signature tells; else nothing that we know of.
      let error =
        signingName.map { AWSError.notImplemented("the service \($0), target \(target)") }
        ?? AWSError("UnknownOperationException", "No service takes the target \(target).")
      throw RoutingFailure(error: error, model: nil, wireProtocol: .json, request: request)
    }
    let name = String(target[target.index(after: dot)...])
    guard model.header.knownOperations.contains(name) else { throw unknown(request, model, .json, name) }
    return routed(request, model, .json, name)
  }

  private func unknown(_ request: WireRequest, _ model: ServiceModel, _ wire: WireProtocol, _ name: String)
    -> RoutingFailure
  {
    let error: AWSError
    switch wire {
    case .query, .ec2: error = AWSError("InvalidAction", "The action \(name) is not valid for this web service.")
    default:
      error = AWSError(
        "UnknownOperationException", "\(model.header.serviceID) has no operation \(name).",
        status: wire == .cbor ? 404 : 400)
    }
    return RoutingFailure(error: error, model: model, wireProtocol: wire, request: request)
  }

  private func isForm(_ model: ServiceModel) -> Bool {
    model.header.protocols.contains(.query) || model.header.protocols.contains(.ec2)
  }

  private struct Action {
    var name: String
    var version: String?
  }

  /// The action that a form in the body or the query string names.
  private func action(_ request: WireRequest) -> Action? {
    var pairs: [PercentCoding.Pair] = []
    if request.query.contains("Action=") { pairs += PercentCoding.pairs(request.query) ?? [] }
    let type = request.headers["Content-Type"] ?? ""
    // Some clients leave the type out; a form says Action near its beginning.
    if type.hasPrefix("application/x-www-form-urlencoded")
      || (type.isEmpty && request.body.starts(with: "Action=".utf8))
    {
      pairs += PercentCoding.pairs(bytes: request.body) ?? []
    }
    guard let name = pairs.first(where: { $0.name == "Action" })?.value, !name.isEmpty else { return nil }
    return Action(name: name, version: pairs.first { $0.name == "Version" }?.value ?? nil)
  }

  private func form(_ request: WireRequest, _ action: Action, among candidates: [ServiceModel])
    throws(RoutingFailure) -> RoutedRequest
  {
    let knowing = candidates.filter { isForm($0) && $0.header.knownOperations.contains(action.name) }
    let model = knowing.first { $0.header.apiVersion == action.version } ?? knowing.first
    if let version = action.version, let only = candidates.first, candidates.count == 1 || model == nil {
      // Classic load balancers share their signing name with the newer ones.
      if only.header.endpointPrefix == "elasticloadbalancing", version == "2012-06-01" {
        throw RoutingFailure(
          error: .notImplemented("classic Elastic Load Balancing (API version 2012-06-01), operation \(action.name)"),
          model: only, wireProtocol: .query, request: request)
      }
    }
    guard let model else {
      let named = candidates.first { $0.header.apiVersion == action.version } ?? candidates.first { isForm($0) }
      guard let named else {
        throw RoutingFailure(
          error: AWSError("InvalidAction", "The action \(action.name) is not valid for this web service."),
          model: candidates.first, wireProtocol: candidates.first?.header.protocols.first ?? .query, request: request)
      }
      throw unknown(request, named, named.header.protocols.contains(.ec2) ? .ec2 : .query, action.name)
    }
    return routed(request, model, model.header.protocols.contains(.ec2) ? .ec2 : .query, action.name)
  }
}
