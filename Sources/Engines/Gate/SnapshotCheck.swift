// Whether a snapshot makes sense, before anything of it is applied.
import ByteRegex
import GateProtocol
import HTTPWire

enum SnapshotCheck {
  /// Throws `GateError.invalidSnapshot` with the first contradiction found.
  static func check(_ snapshot: GateSnapshot) throws(GateError) {
    if let key = snapshot.cookieKey, key.count != 32 { throw .invalidSnapshot("the cookie key has \(key.count) bytes") }
    var groups: Set<String> = []
    for group in snapshot.targetGroups {
      if group.transport == .udp, group.flow?.proxyProtocol ?? false {
        throw .invalidSnapshot("target group \(group.id): the PROXY header is not for UDP")
      }
      if !groups.insert(group.id).inserted { throw .invalidSnapshot("two target groups have the id \(group.id)") }
      for target in group.targets {
        if IPv4.parse(target.address) == nil || target.port == 0 {
          throw .invalidSnapshot("target group \(group.id): \(target.address):\(target.port) is not an address")
        }
      }
    }
    var balancers: Set<String> = []
    var listeners: Set<String> = []
    for balancer in snapshot.loadBalancers {
      if !balancers.insert(balancer.id).inserted {
        throw .invalidSnapshot("two load balancers have the id \(balancer.id)")
      }
      if IPv4.parse(balancer.address) == nil {
        throw .invalidSnapshot("load balancer \(balancer.id): \(balancer.address) is not an IPv4 address")
      }
      for listener in balancer.listeners {
        if !listeners.insert(listener.id).inserted {
          throw .invalidSnapshot("two listeners have the id \(listener.id)")
        }
        try check(listener, groups)
      }
    }
    for balancer in snapshot.networkLoadBalancers ?? [] {
      if !balancers.insert(balancer.id).inserted {
        throw .invalidSnapshot("two load balancers have the id \(balancer.id)")
      }
      if IPv4.parse(balancer.address) == nil {
        throw .invalidSnapshot("load balancer \(balancer.id): \(balancer.address) is not an IPv4 address")
      }
      for listener in balancer.listeners {
        if !listeners.insert(listener.id).inserted {
          throw .invalidSnapshot("two listeners have the id \(listener.id)")
        }
        for entry in listener.targetGroups where !groups.contains(entry.targetGroup) {
          throw .invalidSnapshot("listener \(listener.id) forwards to \(entry.targetGroup), which is not there")
        }
      }
    }
    var endpoints: Set<String> = []
    for endpoint in snapshot.endpoints {
      if !endpoints.insert(endpoint.id).inserted { throw .invalidSnapshot("two endpoints have the id \(endpoint.id)") }
      for backend in endpoint.backends where IPv4.parse(backend.address) == nil || backend.port == 0 {
        throw .invalidSnapshot("endpoint \(endpoint.id): \(backend.address):\(backend.port) is not an address")
      }
    }
  }

  private static func check(_ listener: GateSnapshot.Listener, _ groups: Set<String>) throws(GateError) {
    for rule in listener.rules { try check(rule, listener.id) }
    try check(listener.headers, listener.id)
    for action in [listener.defaultAction] + listener.rules.map(\.action) {
      switch action {
      case .forward(let weighted, _):
        for entry in weighted where !groups.contains(entry.targetGroup) {
          throw .invalidSnapshot("listener \(listener.id) forwards to \(entry.targetGroup), which is not there")
        }
      case .redirect(let redirect):
        if redirect.statusCode != 301 && redirect.statusCode != 302 {
          throw .invalidSnapshot("listener \(listener.id) redirects with status \(redirect.statusCode)")
        }
        let parts = [redirect.scheme, redirect.host, redirect.port, redirect.path, redirect.query]
        if parts.contains(where: hasControlCharacters) {
          throw .invalidSnapshot("listener \(listener.id) redirects to a text with control characters")
        }
      case .fixedResponse(let response):
        if !(200...599).contains(response.statusCode) || hasControlCharacters(response.contentType) {
          throw .invalidSnapshot("listener \(listener.id) has an impossible fixed response")
        }
      }
    }
  }

  private static func check(_ rule: GateSnapshot.Rule, _ listener: String) throws(GateError) {
    var patterns: [String] = rule.transforms.map(\.regex)
    for condition in rule.conditions {
      switch condition {
      case .hostHeaderRegex(let values), .pathRegex(let values), .httpHeaderRegex(_, let values): patterns += values
      default: break
      }
    }
    for pattern in patterns {
      let outcome = Result { () throws(RegexError) in try ByteRegex(pattern) }
      if case .failure(let error) = outcome {
        throw .invalidSnapshot("listener \(listener), rule \(rule.priority), \(pattern): \(error)")
      }
    }
    if Set(rule.transforms.map(\.kind)).count != rule.transforms.count {
      throw .invalidSnapshot("listener \(listener), rule \(rule.priority): two transforms of one kind")
    }
  }

  private static func check(_ headers: GateSnapshot.HeaderModification, _ listener: String) throws(GateError) {
    let names = headers.responseHeaders.map(\.name) + headers.requestHeaderNames.values
    if names.contains(where: { $0.isEmpty || !$0.utf8.allSatisfy(Token.contains) })
      || headers.responseHeaders.contains(where: { hasControlCharacters($0.value) })
    {
      throw .invalidSnapshot("listener \(listener) has a header that cannot be sent")
    }
  }

  private static func hasControlCharacters(_ text: String) -> Bool { text.utf8.contains { $0 < 0x20 || $0 == 0x7F } }
}
