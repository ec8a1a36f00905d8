// From the text of castle.yaml to a Blueprint.
import Yams

/// Reads the whole file and reports every problem it finds, not only the first.
struct BlueprintReader {
  private var problems = ProblemList()
  /// Where each name was given, for problems that only show when all is read.
  private var places: [String: Node] = [:]
  private var uses: [(service: String, name: String, node: Node)] = []
  private var routes: [(kind: String, service: String, path: String, node: Node)] = []

  mutating func read(_ text: String) throws(BlueprintError) -> Blueprint {
    let parser: Parser
    let root: Node?
    do {
      parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
      root = try parser.singleRoot()
    } catch {
      throw BlueprintError(problems: [Self.problem(error)])
    }
    // Nodes hold their anchors weakly: the parser owns them.
    defer { withExtendedLifetime(parser) {} }
    guard let root, root.isMap else {
      throw BlueprintError(problems: [
        .init(line: 1, column: 1, message: "castle.yaml must be a map that starts with \"name: …\"", suggestion: nil)
      ])
    }
    let blueprint = blueprint(BlueprintFields(root, BlueprintKeys.root, place: "castle.yaml", problems: &problems))
    checkUses(blueprint)
    checkRoutes()
    guard problems.problems.isEmpty else { throw BlueprintError(problems: problems.sorted) }
    return blueprint
  }

  private static func problem(_ error: any Error) -> BlueprintProblem {
    switch error as? YamlError {
    case .scanner(_, let what, let mark, _), .parser(_, let what, let mark, _), .composer(_, let what, let mark, _):
      return .init(line: mark.line, column: mark.column, message: "this is not YAML: \(what)", suggestion: nil)
    case .duplicatedKeysInMapping(let keys, let context):
      return .init(
        line: context.mark.line, column: context.mark.column, message: "the key \"\(keys.first ?? "")\" stands twice",
        suggestion: nil)
    default:
      return .init(line: 1, column: 1, message: "this is not YAML: it holds characters YAML forbids", suggestion: nil)
    }
  }

  // MARK: - Sections

  private mutating func blueprint(_ root: BlueprintFields) -> Blueprint {
    let name = root.text("name", &problems) ?? ""
    if let node = root["name"], !name.isEmpty { checkName(name, at: node) }
    let region = root.text("region", &problems) ?? "us-east-1"
    if let node = root["region"], !isRegion(region) {
      problems.report("\"\(region)\" is not the name of a region, such as us-east-1", at: node)
    }
    let domain = root.text("domain", &problems)
    if let node = root["domain"], let domain, !isDomain(domain) {
      problems.report("\"\(domain)\" is not a domain name, such as storefront.test", at: node)
    }
    return Blueprint(
      name: name, region: region, domain: domain,
      services: named("services", root, BlueprintKeys.service, "service") { reader, name, fields in
        reader.service(name, fields)
      },
      databases: named("databases", root, BlueprintKeys.database, "database") { reader, name, fields in
        reader.database(name, fields)
      },
      caches: named("caches", root, BlueprintKeys.cache, "cache") { reader, name, fields in
        .init(
          name: name, engine: fields.word("engine", Blueprint.Cache.Engine.self, &reader.problems) ?? .redis,
          shards: fields.wholeNumber("shards", &reader.problems) ?? 1,
          replicas: fields.wholeNumber("replicas", &reader.problems) ?? 1)
      },
      buckets: named("buckets", root, BlueprintKeys.bucket, "bucket") { reader, name, fields in
        reader.bucket(name, fields)
      },
      secrets: named("secrets", root, BlueprintKeys.secret, "secret") { reader, name, fields in
        .init(name: name, rotateDays: fields.days("rotate", 1...1000, &reader.problems))
      },
      shield: root["shield"].flatMap { shield($0) },
      vpns: named("vpn", root, BlueprintKeys.vpn, "vpn") { reader, name, fields in reader.vpn(name, fields) })
  }

  private mutating func named<Value>(
    _ key: String, _ root: BlueprintFields, _ section: BlueprintSection, _ title: String,
    _ read: (inout BlueprintReader, String, BlueprintFields) -> Value
  ) -> [Value] {
    guard let node = root[key], !node.isEmptyScalar else { return [] }
    guard case .mapping(let mapping) = node else {
      problems.report("\"\(key)\" must be a map of names", at: node)
      return []
    }
    var values: [Value] = []
    for (keyNode, value) in mapping {
      guard let name = keyNode.scalarText else {
        problems.report("a name in \"\(key)\" must be a text", at: keyNode)
        continue
      }
      checkName(name, at: keyNode)
      if let earlier = places[name] {
        problems.report(
          "the name \"\(name)\" is taken, on line \(earlier.mark?.line ?? 1): names in \"uses\" must be clear",
          at: keyNode)
      }
      places[name] = keyNode
      let fields = BlueprintFields(value, section, place: "\(title) \"\(name)\"", problems: &problems)
      values.append(read(&self, name, fields))
    }
    return values
  }

  private mutating func service(_ name: String, _ fields: BlueprintFields) -> Blueprint.Service {
    for use in fields.texts("uses", &problems) { uses.append((name, use.text, use.node)) }
    let scaleFields = fields["scale"].map {
      BlueprintFields($0, BlueprintKeys.scale, place: "scale of service \"\(name)\"", problems: &problems)
    }
    let service = Blueprint.Service(
      name: name, build: fields.text("build", &problems), run: fields.text("run", &problems),
      port: fields.wholeNumber("port", &problems) ?? 0,
      publicRoute: route("public", name, fields), internalRoute: route("internal", name, fields),
      cpu: fields.number("cpu", &problems) ?? 0.25,
      memoryMegabytes: fields.unit("memory", &problems, Units.megabytes) ?? 512,
      scale: scale(scaleFields), uses: uses.filter { $0.service == name }.map(\.name),
      environment: environment(fields))
    if FargateSize(cpu: service.cpu, megabytes: service.memoryMegabytes) == nil {
      problems.report(
        "service \"\(name)\" asks for more than a Fargate task can have: at most 16 processors and 120GB",
        at: fields["memory"] ?? fields["cpu"] ?? fields.node)
    }
    if service.build == nil && service.run == nil {
      problems.report(
        "service \"\(name)\" needs \"run\" (a command) or \"build\" (a Dockerfile's folder)", at: fields.node)
    }
    if let node = fields["scale"], service.scale.requests != nil, service.publicRoute == nil,
      service.internalRoute == nil
    {
      problems.report(
        "service \"\(name)\" cannot scale by requests: it has no \"public\" and no \"internal\" route", at: node)
    }
    return service
  }

  private mutating func route(_ key: String, _ service: String, _ fields: BlueprintFields) -> Blueprint.Route? {
    guard let node = fields[key] else { return nil }
    let route = BlueprintFields(
      node, BlueprintKeys.route, place: "\(key) of service \"\(service)\"", problems: &problems)
    let path = route.text("path", &problems) ?? "/"
    let health = route.text("health", &problems) ?? "/"
    for (key, text) in [("path", path), ("health", health)] where !text.hasPrefix("/") {
      problems.report(
        "\"\(key)\" of service \"\(service)\" must start with /", at: route[key] ?? node, suggestion: "\"/\(text)\"")
    }
    routes.append((key, service, path, route["path"] ?? node))
    return .init(path: path, health: health)
  }

  private mutating func scale(_ fields: BlueprintFields?) -> Blueprint.Scale {
    guard let fields else { return .init(min: 1, max: 1, cpuPercent: nil, requests: nil) }
    let min = fields.wholeNumber("min", &problems) ?? 1
    let max = fields.wholeNumber("max", &problems) ?? Swift.max(min, 1)
    if min > max {
      problems.report("\(fields.place) has min \(min) above max \(max)", at: fields["min"] ?? fields.node)
    }
    let cpu = fields.unit("cpu", &problems, Units.percent)
    if let cpu, !(1...100).contains(cpu) {
      problems.report("\"cpu\" in \(fields.place) must be from 1% to 100%", at: fields["cpu"] ?? fields.node)
    }
    return .init(min: min, max: max, cpuPercent: cpu, requests: fields.wholeNumber("requests", &problems))
  }

  private mutating func environment(_ fields: BlueprintFields) -> [Blueprint.Variable] {
    guard let node = fields["env"], !node.isEmptyScalar else { return [] }
    guard case .mapping(let mapping) = node else {
      problems.report("\"env\" in \(fields.place) must be a map of names and texts", at: node)
      return []
    }
    var variables: [Blueprint.Variable] = []
    for (key, value) in mapping {
      guard let name = key.scalarText, isVariableName(name), let text = value.scalarText else {
        problems.report("\"env\" in \(fields.place) must be a map of names, such as LOG_LEVEL, and texts", at: key)
        continue
      }
      variables.append(.init(name: name, value: text))
    }
    return variables
  }

  private mutating func database(_ name: String, _ fields: BlueprintFields) -> Blueprint.Database {
    var replicas = 1...1
    if let range = fields.unit("replicas", &problems, Units.range), let node = fields["replicas"] {
      if let low = Int(exactly: range.lowerBound), let high = Int(exactly: range.upperBound), low >= 0, high <= 15 {
        replicas = low...high
      } else {
        problems.report("\"replicas\" in \(fields.place) must be whole numbers from 0 to 15", at: node)
      }
    }
    var acu = 0.5...4.0
    if let range = fields.unit("acu", &problems, Units.range), let node = fields["acu"] {
      let isHalf = Int(exactly: range.lowerBound * 2) != nil && Int(exactly: range.upperBound * 2) != nil
      if isHalf, range.lowerBound >= 0.5, range.upperBound >= 1, range.upperBound <= 256 {
        acu = range
      } else {
        problems.report(
          "\"acu\" in \(fields.place) must be from 0.5 to 256 in steps of 0.5, ending at 1 or more", at: node)
      }
    }
    return .init(
      name: name, engine: fields.word("engine", Blueprint.Database.Engine.self, &problems) ?? .auroraPostgreSQL,
      replicas: replicas, acu: acu, backupDays: fields.days("backups", 1...35, &problems) ?? 7)
  }

  private mutating func bucket(_ name: String, _ fields: BlueprintFields) -> Blueprint.Bucket {
    let expire = fields.days("expire", 1...36500, &problems)
    let glacier = fields.days("glacier", 0...36500, &problems)
    if let expire, let glacier, glacier >= expire, let node = fields["glacier"] {
      problems.report("\(fields.place) moves objects to Glacier when they are already deleted", at: node)
    }
    return .init(name: name, expireDays: expire, glacierDays: glacier)
  }

  private mutating func shield(_ node: Node) -> Blueprint.Shield? {
    let fields = BlueprintFields(node, BlueprintKeys.shield, place: "shield", problems: &problems)
    var shield = Blueprint.Shield(
      connections: fields.wholeNumber("connections", &problems),
      newConnections: fields.number("new-connections", &problems),
      requestsPerSecond: fields.number("requests-per-second", &problems))
    guard let value = fields["requests"] else {
      if node.isEmptyScalar || node.isEmptyMap {
        problems.report("shield needs one of its keys: \(BlueprintKeys.shield.names.joined(separator: ", "))", at: node)
      }
      return shield
    }
    guard let rate = fields.unit("requests", &problems, Units.rate) else { return nil }
    if rate.count < 10 || rate.count > 2_000_000_000 {
      problems.report("\"requests\" in shield must let 10 or more requests through", at: value)
    }
    // The windows that WAF can count over.
    if ![60, 120, 300, 600].contains(rate.seconds) {
      problems.report("\"requests\" in shield must be counted over 1m, 2m, 5m or 10m", at: value)
    }
    shield.rate = .init(requests: rate.count, windowSeconds: rate.seconds)
    return shield
  }

  private mutating func vpn(_ name: String, _ fields: BlueprintFields) -> Blueprint.VPN {
    let peer = fields.text("peer", &problems) ?? ""
    if let node = fields["peer"], !isIPv4(peer[...]) {
      problems.report("\"peer\" in \(fields.place) must be an IPv4 address, not \"\(peer)\"", at: node)
    }
    let networks = fields.texts("networks", &problems)
    for network in networks {
      let parts = network.text.split(separator: "/", omittingEmptySubsequences: false)
      let isNetwork = parts.count == 2 && isIPv4(parts[0]) && (Int(parts[1]).map { (0...32).contains($0) } ?? false)
      if !isNetwork {
        problems.report("\"\(network.text)\" is not a network, such as 192.168.0.0/16", at: network.node)
      }
    }
    return .init(name: name, peer: peer, networks: networks.map(\.text))
  }

  // MARK: - What only shows when all is read

  private mutating func checkUses(_ blueprint: Blueprint) {
    let usable =
      blueprint.services.map(\.name) + blueprint.databases.map(\.name) + blueprint.caches.map(\.name)
      + blueprint.buckets.map(\.name) + blueprint.secrets.map(\.name)
    var seen: Set<String> = []
    for use in uses {
      guard usable.contains(use.name) else {
        problems.report(
          "service \"\(use.service)\" uses \"\(use.name)\", which is not in this file", at: use.node,
          suggestion: nearest(use.name, of: usable.filter { $0 != use.service }).map { "\"\($0)\"" })
        continue
      }
      if use.name == use.service {
        problems.report("service \"\(use.service)\" uses itself", at: use.node)
        continue
      }
      if !seen.insert(use.service + " " + use.name).inserted {
        problems.report("service \"\(use.service)\" uses \"\(use.name)\" twice", at: use.node)
      }
      if let target = blueprint.services.first(where: { $0.name == use.name }), target.internalRoute == nil,
        target.publicRoute == nil
      {
        problems.report(
          "service \"\(use.service)\" uses \"\(use.name)\", which has no \"internal\" and no \"public\" route",
          at: use.node)
      }
    }
    for service in blueprint.services {
      var names: Set<String> = []
      for variable in Wiring(blueprint, service).variables where !names.insert(variable.name).inserted {
        problems.report(
          "the environment of service \"\(service.name)\" would have \(variable.name) twice: from its port, "
            + "\"uses\" and \"env\"",
          at: places[service.name] ?? Node("", .implicit))
      }
    }
  }

  private mutating func checkRoutes() {
    for (index, route) in routes.enumerated() {
      guard let earlier = routes[..<index].first(where: { $0.kind == route.kind && $0.path == route.path }) else {
        continue
      }
      problems.report(
        "the \(route.kind) path \(route.path) of service \"\(route.service)\" already leads to \"\(earlier.service)\"",
        at: route.node)
    }
  }

  private mutating func checkName(_ name: String, at node: Node) {
    let parts = name.split(separator: "-", omittingEmptySubsequences: false)
    let letters = "abcdefghijklmnopqrstuvwxyz".utf8
    let isName =
      parts.allSatisfy { part in
        !part.isEmpty && part.utf8.allSatisfy { letters.contains($0) || (48...57).contains($0) }
      }
      && (name.utf8.first.map { letters.contains($0) } ?? false)
    guard !isName || name.count > BlueprintKeys.nameLengthMax else { return }
    let cleaned = String(name.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" })
    problems.report(
      "\"\(name)\" is not a name: write lower-case letters, digits and single hyphens, at most "
        + "\(BlueprintKeys.nameLengthMax), starting with a letter",
      at: node, suggestion: isName || cleaned == name ? nil : "\"\(cleaned)\"")
  }

  private func isRegion(_ text: String) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 3, parts[0].count == 2, parts.last.flatMap({ Int($0) }) != nil else { return false }
    return parts.dropLast().allSatisfy { !$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isLowercase } }
  }

  private func isDomain(_ text: String) -> Bool {
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    return text.utf8.count <= 253 && labels.count >= 2
      && labels.allSatisfy { label in
        (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
          && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
      }
  }

  private func isIPv4(_ text: Substring) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
  }

  private func isVariableName(_ text: String) -> Bool {
    guard let first = text.first, first.isLetter || first == "_" else { return false }
    return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
  }
}
