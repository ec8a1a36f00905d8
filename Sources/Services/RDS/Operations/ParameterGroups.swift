// DB cluster parameter groups.

import AWSCore
import AWSWire
import PostgresEngine
import RDSModel
import ServiceKit
import Store

extension RDSService {
  /// The group of a name; the default groups are there without anybody making them.
  private static func group(_ name: String, _ call: CallContext, _ tx: Snapshot) throws -> ParameterGroupRecord {
    let name = name.lowercased()
    if let group = try tx.get(ParameterGroupRecord.self, call.scope, name) { return group }
    guard let group = defaults(call).first(where: { $0.name == name }) else {
      throw RDSError.parameterGroupNotFound(name)
    }
    return group
  }

  private static func defaults(_ call: CallContext) -> [ParameterGroupRecord] {
    EngineVersions.minors.keys.sorted().map { major in
      let family = "\(EngineVersions.engine)\(major)"
      return ParameterGroupRecord(
        name: "default.\(family)", arn: call.arn("rds", "cluster-pg:default.\(family)"), family: family,
        description: "Default cluster parameter group for \(family)", values: [:], tags: [:])
    }
  }

  func createParameterGroup(
    _ input: RDS.CreateDBClusterParameterGroupMessage, _ call: CallContext
  ) async throws -> RDS.CreateDBClusterParameterGroupResult {
    let name = try Identifier.check(input.dbClusterParameterGroupName, "DBClusterParameterGroupName", max: 255)
    let families = EngineVersions.minors.keys.map { "\(EngineVersions.engine)\($0)" }
    guard families.contains(input.dbParameterGroupFamily) else {
      throw RDSError.invalid(
        "ParameterGroupFamily \(input.dbParameterGroupFamily) is not a valid parameter group family")
    }
    let record = ParameterGroupRecord(
      name: name, arn: call.arn("rds", "cluster-pg:\(name)"), family: input.dbParameterGroupFamily,
      description: input.description, values: [:], tags: try Self.read(input.tags, call))
    try await store.write { tx in
      if try tx.get(ParameterGroupRecord.self, call.scope, name) != nil {
        throw AWSError("DBParameterGroupAlreadyExists", "Parameter group \(name) already exists")
      }
      guard try tx.count(ParameterGroupRecord.self, call.scope) < RDSLimits.parameterGroupsMax else {
        throw RDSError.quota(
          "DBParameterGroupQuotaExceeded", "Cannot create more than \(RDSLimits.parameterGroupsMax) groups.")
      }
      try tx.put(record, call.scope)
    }
    return .make { $0.dbClusterParameterGroup = Self.wire(record) }
  }

  func describeParameterGroups(
    _ input: RDS.DescribeDBClusterParameterGroupsMessage, _ call: CallContext
  ) async throws -> RDS.DBClusterParameterGroupsMessage {
    let all = try await store.read { tx -> [ParameterGroupRecord] in
      if let name = input.dbClusterParameterGroupName { return [try Self.group(name, call, tx)] }
      return try tx.list(ParameterGroupRecord.self, call.scope) + Self.defaults(call)
    }
    let page = try Page(all, limit: input.maxRecords, marker: input.marker, place: \.name)
    return .make {
      $0.dbClusterParameterGroups = page.items.map(Self.wire)
      $0.marker = page.marker
    }
  }

  func describeParameters(
    _ input: RDS.DescribeDBClusterParametersMessage, _ call: CallContext
  ) async throws -> RDS.DBClusterParameterGroupDetails {
    let group = try await store.read { try Self.group(input.dbClusterParameterGroupName, call, $0) }
    let all = Parameters.all.map { rule -> RDS.Parameter in
      let set = group.values[rule.name]
      return .make {
        $0.parameterName = rule.name
        $0.parameterValue = set?.value ?? rule.standard
        $0.description = rule.about
        $0.source = set != nil ? "user" : rule.standard != nil ? "system" : "engine-default"
        $0.applyType = rule.isStatic ? "static" : "dynamic"
        $0.applyMethod = set?.applyMethod ?? "pending-reboot"
        $0.dataType = rule.type
        $0.allowedValues = rule.allowed.isEmpty ? nil : rule.allowed
        $0.isModifiable = true
        $0.supportedEngineModes = ["provisioned"]
      }
    }
    let chosen = all.filter { input.source == nil || $0.source == input.source }
    let page = try Page(chosen, limit: input.maxRecords, marker: input.marker) { $0.parameterName ?? "" }
    return .make {
      $0.parameters = page.items
      $0.marker = page.marker
    }
  }

  func modifyParameterGroup(
    _ input: RDS.ModifyDBClusterParameterGroupMessage, _ call: CallContext
  ) async throws -> RDS.DBClusterParameterGroupNameMessage {
    guard input.parameters.count <= 20 else {
      throw RDSError.invalid("At most 20 parameters can be modified in one request.")
    }
    let new = try input.parameters.map { try Self.check($0) }
    try await change(input.dbClusterParameterGroupName, call) { group in
      for (name, value) in new { group.values[name] = value }
    }
    return .make { $0.dbClusterParameterGroupName = input.dbClusterParameterGroupName.lowercased() }
  }

  private static func check(_ parameter: RDS.Parameter) throws -> (String, ParameterGroupRecord.Value) {
    let name = parameter.parameterName ?? ""
    guard let rule = Parameters.byName[name] else {
      throw RDSError.invalid(
        "Could not find parameter with name: \(name) (Castle knows those of DescribeDBClusterParameters)")
    }
    guard let value = parameter.parameterValue, let method = parameter.applyMethod else {
      throw RDSError.invalid("ParameterName, ParameterValue and ApplyMethod must be given.")
    }
    guard ["immediate", "pending-reboot"].contains(method) else {
      throw RDSError.invalid("Invalid ApplyMethod: \(method)")
    }
    if rule.isStatic && method == "immediate" {
      throw RDSError.combination("cannot use immediate apply method for static parameter \(name)")
    }
    guard rule.allows(value), !value.contains(where: \.isNewline) else {
      throw RDSError.invalid("Invalid parameter value: \(value) for: \(name) allowed values are: \(rule.allowed)")
    }
    return (name, .init(value: value, applyMethod: method))
  }

  /// Parameters that are reset have their defaults again; like a change, static ones after a reboot.
  func resetParameterGroup(
    _ input: RDS.ResetDBClusterParameterGroupMessage, _ call: CallContext
  ) async throws -> RDS.DBClusterParameterGroupNameMessage {
    let resetsAll = input.resetAllParameters ?? false
    let names = Set((input.parameters ?? []).compactMap(\.parameterName))
    guard resetsAll != !names.isEmpty else {
      throw RDSError.combination("Either ResetAllParameters or Parameters must be given, and not both.")
    }
    if let unknown = names.sorted().first(where: { Parameters.byName[$0] == nil }) {
      throw RDSError.invalid("Could not find parameter with name: \(unknown)")
    }
    try await change(input.dbClusterParameterGroupName, call) { group in
      group.values = resetsAll ? [:] : group.values.filter { !names.contains($0.key) }
    }
    return .make { $0.dbClusterParameterGroupName = input.dbClusterParameterGroupName.lowercased() }
  }

  /// Changes a group that somebody made.
  private func change(
    _ name: String, _ call: CallContext, _ body: @escaping @Sendable (inout ParameterGroupRecord) -> Void
  ) async throws {
    let name = name.lowercased()
    try await store.write { tx in
      var group = try Self.group(name, call, tx)
      guard !name.hasPrefix("default.") else {
        throw AWSError(
          "InvalidDBParameterGroupState", "The parameter group \(name) cannot be modified: it is a default group.")
      }
      body(&group)
      try tx.put(group, call.scope)
    }
  }

  func deleteParameterGroup(
    _ input: RDS.DeleteDBClusterParameterGroupMessage, _ call: CallContext
  ) async throws -> Empty {
    let name = input.dbClusterParameterGroupName.lowercased()
    try await store.write { tx in
      _ = try Self.group(name, call, tx)
      let isUsed = try !tx.find(ClusterRecord.self, call.scope, index: "parameter-group", name).isEmpty
      guard !isUsed, !name.hasPrefix("default.") else {
        throw AWSError(
          "InvalidDBParameterGroupState",
          isUsed
            ? "One or more database clusters are still members of this parameter group \(name), so the group "
              + "cannot be deleted"
            : "Default DBParameterGroup cannot be deleted: \(name)")
      }
      try tx.delete(ParameterGroupRecord.self, call.scope, name)
    }
    return Empty()
  }

  private static func wire(_ group: ParameterGroupRecord) -> RDS.DBClusterParameterGroup {
    .make {
      $0.dbClusterParameterGroupName = group.name
      $0.dbClusterParameterGroupArn = group.arn
      $0.dbParameterGroupFamily = group.family
      $0.description = group.description
    }
  }
}
