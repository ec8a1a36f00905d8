// Tells a REST service's operations apart: method, path, and on S3 the sub-resource in the query string.

import AWSCore

struct RESTRouter: Sendable {
  /// A class, since each request looks at all routes of its method.
  private final class Route: Sendable {
    let known: ServiceModel.KnownRoute
    let template: URITemplate
    /// Names that must be in the query string, with the value where one is asked for.
    let wanted: [(name: String, value: String?)]
    let literals: Int

    init(
      known: ServiceModel.KnownRoute, template: URITemplate, wanted: [(name: String, value: String?)], literals: Int
    ) {
      self.known = known
      self.template = template
      self.wanted = wanted
      self.literals = literals
    }
  }

  private let model: ServiceModel
  private let isS3: Bool
  private let routes: [Route]
  /// The same by method.
  private let byMethod: [String: [Route]]
  /// Everything that some operation is told apart by.
  private let subresources: Set<String>
  private let discriminators: Set<String>

  init(_ model: ServiceModel) {
    self.model = model
    isS3 = model.header.endpointPrefix == "s3"
    var routes: [Route] = []
    var subresources: Set<String> = []
    var discriminators: Set<String> = []
    for known in model.header.knownRoutes {
      guard let template = URITemplate(known.uri) else { continue }
      // With a value that is asked for (`list-type=2`) it chooses a form of the operation, not another thing.
      subresources.formUnion(template.query.filter { $0.value == nil }.map(\.name))
      discriminators.formUnion(known.requiredQuery)
      let literals = template.segments.reduce(0) { if case .literal = $1 { $0 + 1 } else { $0 } }
      routes.append(
        Route(
          known: known, template: template, wanted: template.query + known.requiredQuery.map { ($0, nil) },
          literals: literals))
    }
    self.routes = routes
    byMethod = Dictionary(grouping: routes, by: \.known.method)
    self.subresources = subresources
    self.discriminators = discriminators.union(subresources)
  }

  /// Whether the path's first part is one that only this service has, such as `/2013-04-01/`.
  func owns(_ request: WireRequest) -> Bool {
    let first = request.path.split(separator: "/").first.map(String.init)
    guard let first, !isS3 else { return false }
    return routes.contains { $0.template.segments.first == .literal(first) }
  }

  func find(_ request: WireRequest) -> Result<String, AWSError> {
    guard let pairs = PercentCoding.pairs(request.query) else {
      return .failure(AWSError("InvalidURI", "Couldn't parse the specified URI."))
    }
    let hint = pairs.first { $0.name == "x-id" }?.value
    var best: (route: Route, score: Int)?
    let path = URITemplate.parts(of: request.path)
    for route in byMethod[request.method] ?? [] {
      let isWanted = route.wanted.allSatisfy { wanted in
        pairs.contains { $0.name == wanted.name && (wanted.value == nil || $0.value == wanted.value) }
      }
      guard isWanted, route.template.takes(path), route.known.requiredHeaders.allSatisfy({ request.headers[$0] != nil })
      else { continue }
      var score = route.wanted.count * 16 + route.known.requiredHeaders.count * 4 + route.literals * 64
      if hint == route.known.name { score += 3 }
      if score > best?.score ?? -1 || score == best?.score && isBuilt(route) && !isBuilt(best?.route) {
        best = (route, score)
      }
    }
    guard let best else { return .failure(unmatched(request, pairs)) }
    if isS3, let name = unknownSubresource(pairs, best.route, request.method) {
      return .failure(
        .notImplemented("the sub-resource \"\(name)\" of \(request.method) on \(subject(request))"))
    }
    return .success(best.route.known.name)
  }

  private func isBuilt(_ route: Route?) -> Bool { route.map { model.operation($0.known.name) != nil } ?? false }

  private func subject(_ request: WireRequest) -> String {
    request.path.split(separator: "/").count > 1 ? "an S3 object" : "an S3 bucket"
  }

  /// A name in the query string that makes the request another operation than the one that was found.
  private func unknownSubresource(_ pairs: [PercentCoding.Pair], _ route: Route, _ method: String) -> String? {
    guard !pairs.isEmpty else { return nil }
    let changes = method != "GET" && method != "HEAD"
    var allowed = Set(route.wanted.map(\.name))
    if let input = model.operation(route.known.name)?.input, case .structure(let members) = model.shape(input).kind {
      allowed.formUnion(members.filter { $0.location == .query }.map(\.wireName))
    }
    for pair in pairs where !allowed.contains(pair.name) {
      let name = pair.name.lowercased()
      if name == "x-id" || name.hasPrefix("x-amz-") || ["awsaccesskeyid", "signature", "expires"].contains(name) {
        continue
      }
      // Reading with a parameter that nobody knows is harmless; writing with one might write the wrong thing.
      if changes ? discriminators.contains(pair.name) : subresources.contains(pair.name) { return pair.name }
      if changes, pair.value ?? "" == "" { return pair.name }
    }
    return nil
  }

  private func unmatched(_ request: WireRequest, _ pairs: [PercentCoding.Pair]) -> AWSError {
    if isS3 {
      if request.method == "POST",
        request.headers["Content-Type"]?.lowercased().hasPrefix("multipart/form-data") == true
      {
        return .notImplemented(service: "S3", operation: "PostObject")
      }
      if let bare = pairs.first(where: { $0.value ?? "" == "" }), request.method != "OPTIONS" {
        return .notImplemented("the sub-resource \"\(bare.name)\" of \(request.method) on \(subject(request))")
      }
      return AWSError(
        "MethodNotAllowed", "The specified method is not allowed against this resource.", status: 405,
        fields: ["Method": request.method])
    }
    let path = URITemplate.parts(of: request.path)
    return routes.contains { $0.template.takes(path) }
      ? AWSError("MethodNotAllowed", "The method \(request.method) is not allowed here.", status: 405)
      : AWSError(
        "UnknownOperationException", "\(model.header.serviceID) has no operation at \(request.path).", status: 404)
  }
}
