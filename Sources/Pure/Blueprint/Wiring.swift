// What `uses` puts into a service's environment.

/// The environment of one service: what it is told openly, and what ECS fetches from Secrets Manager for it.
public struct Wiring: Sendable {
  /// An environment variable and where its value comes from.
  public struct Variable: Sendable {
    public enum Source: Sendable, Hashable { case environment, secret }
    public let name: String
    public let source: Source
    let value: Piece
  }

  /// `PORT`, then the variables of each `uses` in its order, then the service's own.
  public let variables: [Variable]

  public init(_ blueprint: Blueprint, _ service: Blueprint.Service) {
    var variables = [Variable(name: "PORT", source: .environment, value: .text(String(service.port)))]
    func open(_ name: String, _ value: Piece) {
      variables.append(.init(name: name, source: .environment, value: value))
    }
    func secret(_ name: String, _ value: Piece) {
      variables.append(.init(name: name, source: .secret, value: value))
    }
    for use in service.uses {
      let id = use.logical
      let prefix = use.variable
      if let target = blueprint.services.first(where: { $0.name == use }) {
        let balancer = target.internalRoute == nil ? "PublicLoadBalancer" : "InternalLoadBalancer"
        open("\(prefix)_URL", .sub("http://${\(balancer).DNSName}"))
      } else if blueprint.databases.contains(where: { $0.name == use }) {
        open("\(prefix)_HOST", .attribute("\(id)Cluster", "Endpoint.Address"))
        open("\(prefix)_READER_HOST", .attribute("\(id)Cluster", "ReadEndpoint.Address"))
        open("\(prefix)_PORT", .attribute("\(id)Cluster", "Endpoint.Port"))
        open("\(prefix)_NAME", .text(use.underscored))
        secret("\(prefix)_USERNAME", .sub("${\(id)Login}:username::"))
        secret("\(prefix)_PASSWORD", .sub("${\(id)Login}:password::"))
        secret("\(prefix)_URL", .ref("\(id)Url"))
      } else if let cache = blueprint.caches.first(where: { $0.name == use }) {
        let endpoint = cache.endpointAttribute
        open("\(prefix)_HOST", .attribute("\(id)Cache", "\(endpoint).Address"))
        open("\(prefix)_PORT", .attribute("\(id)Cache", "\(endpoint).Port"))
        open("\(prefix)_TLS", .choose("OnCastle", "false", "true"))
        secret("\(prefix)_TOKEN", .ref("\(id)Token"))
        secret("\(prefix)_URL", .ref("\(id)Url"))
      } else if blueprint.buckets.contains(where: { $0.name == use }) {
        open("\(prefix)_BUCKET", .ref("\(id)Bucket"))
      } else if blueprint.secrets.contains(where: { $0.name == use }) {
        open("\(prefix)_ARN", .ref("\(id)Secret"))
        secret(prefix, .ref("\(id)Secret"))
      }
    }
    for variable in service.environment { open(variable.name, .text(variable.value)) }
    self.variables = variables
  }
}

extension Blueprint.Cache {
  /// The attribute with the address that clients are given: in cluster mode, the configuration endpoint.
  var endpointAttribute: String { shards > 1 ? "ConfigurationEndPoint" : "PrimaryEndPoint" }
}
