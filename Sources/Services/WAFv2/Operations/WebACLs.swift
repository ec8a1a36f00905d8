// Web ACLs: create, get, update, delete, list, and their capacity.

import AWSCore
import AWSWire
import ServiceKit
import Store
import WAFv2Model
import WebACL

extension WAFv2Service {
  func createWebACL(_ input: WAFv2.CreateWebACLRequest, _ call: CallContext) async throws -> WAFv2.CreateWebACLResponse
  {
    try Self.requireRegional(input.scope)
    let rules = input.rules ?? []
    let tags = try Tags.read(input.tags)
    let id = call.ids.uuid()
    let token = call.ids.uuid()
    let arn = Self.arn("webacl", input.name, id, call)
    try Self.checkBodyLimits(input.associationConfig)
    _ = try DataProtectionRules.protections(input.dataProtectionConfig, account: call.account)
    try DataProtectionRules.check(input.onSourceDDoSProtectionConfig)
    let given = WAFv2.WebACL.make {
      $0.id = id
      $0.name = input.name
      $0.arn = arn
      $0.description = input.description
      $0.defaultAction = input.defaultAction
      $0.rules = rules
      $0.visibilityConfig = input.visibilityConfig
      $0.captchaConfig = input.captchaConfig
      $0.challengeConfig = input.challengeConfig
      $0.customResponseBodies = input.customResponseBodies
      $0.tokenDomains = input.tokenDomains
      $0.associationConfig = input.associationConfig
      $0.dataProtectionConfig = input.dataProtectionConfig
      $0.onSourceDDoSProtectionConfig = input.onSourceDDoSProtectionConfig
      $0.applicationConfig = input.applicationConfig
      $0.managedByFirewallManager = false
      $0.retrofittedByFirewallManager = false
      $0.labelNamespace = "awswaf:\(call.account):webacl:\(input.name):"
    }
    let (name, scope) = (input.name, call.scope)
    let record = try await store.write { tx in
      guard try tx.find(WebACLRecord.self, scope, index: "name", name).isEmpty else { throw WAFError.duplicate }
      guard try tx.count(WebACLRecord.self, scope) < WAFLimits.webACLsMax else { throw WAFError.limit }
      var made = given
      made.capacity = try Self.check(rules, given.customResponseBodies, given.defaultAction, tx, scope)
      let record = WebACLRecord(
        id: id, name: name, arn: arn, lockToken: token, acl: Self.shapes.json(made), tags: tags)
      try tx.put(record, scope)
      return record
    }
    return .make { $0.summary = Self.summary(record) }
  }

  /// Checks rules against what is there; returns their capacity. Without a default action they are not a web ACL's.
  /// - Parameter shieldGroups: groups of Shield's that may be among them.
  /// - Throws: `WAFInvalidParameterException`, `WAFLimitsExceededException`, `WAFNonexistentItemException`; 501.
  private static func check(
    _ rules: [WAFv2.Rule], _ bodies: [String: WAFv2.CustomResponseBody]?, _ action: WAFv2.DefaultAction?,
    _ snapshot: Snapshot, _ scope: Scope, shieldGroups: Set<String> = []
  ) throws -> Int {
    var translator = RuleTranslator(bodies: bodies, isAlone: action == nil)
    _ = try translator.rules(rules)
    if let action { _ = try translator.defaultAction(action) }
    let capacities = try require(translator.references, snapshot, scope, shieldGroups: shieldGroups)
    let capacity = Capacity.of(rules, groups: capacities)
    guard capacity <= WAFLimits.capacityMax else { throw WAFError.limit }
    return capacity
  }

  /// A size limit that the Gate cannot keep is not taken.
  private static func checkBodyLimits(_ config: WAFv2.AssociationConfig?) throws {
    for (type, limit) in config?.requestBody ?? [:] where Self.bytes(limit.defaultSizeInspectionLimit) == nil {
      throw WAFError.invalid("The parameter is not valid", field: "ASSOCIATION_CONFIG", parameter: type)
    }
  }

  /// `KB_8` to `KB_64` in bytes.
  static func bytes(_ limit: String) -> Int? {
    ["KB_8": 8 << 10, "KB_16": 16 << 10, "KB_32": 32 << 10, "KB_48": 48 << 10, "KB_64": 64 << 10][limit]
  }

  func checkCapacity(_ input: WAFv2.CheckCapacityRequest, _ call: CallContext) async throws
    -> WAFv2.CheckCapacityResponse
  {
    try Self.requireRegional(input.scope)
    let capacity = try await store.read { snapshot in
      let acls = try snapshot.list(WebACLRecord.self, call.scope)
      let groups = acls.reduce(into: Set<String>()) { $0.formUnion(ShieldGroups.groups(Self.answer($1).rules ?? [])) }
      return try Self.check(input.rules, nil, nil, snapshot, call.scope, shieldGroups: groups)
    }
    return .make { $0.capacity = capacity }
  }

  func getWebACL(_ input: WAFv2.GetWebACLRequest, _ call: CallContext) async throws -> WAFv2.GetWebACLResponse {
    try Self.requireRegional(input.scope)
    let record = try await store.read { snapshot in
      if let arn = input.arn { return try snapshot.find(WebACLRecord.self, call.scope, index: "arn", arn).first }
      guard let id = input.id else {
        throw WAFError.invalid("You must specify an id and a name, or an ARN", field: "ENTITY", parameter: "Id")
      }
      return try snapshot.get(WebACLRecord.self, call.scope, id)
    }
    guard let record, input.name == nil || input.name == record.name else { throw WAFError.notFound }
    return .make {
      $0.webACL = Self.answer(record)
      $0.lockToken = record.lockToken
    }
  }

  static func answer(_ record: WebACLRecord) -> WAFv2.WebACL { shapes.structure(WAFv2.WebACL.self, record.acl) }

  /// The whole definition is replaced, as on AWS; but for a rule of Shield's, which stays.
  func updateWebACL(_ input: WAFv2.UpdateWebACLRequest, _ call: CallContext) async throws -> WAFv2.UpdateWebACLResponse
  {
    try Self.requireRegional(input.scope)
    try Self.checkBodyLimits(input.associationConfig)
    _ = try DataProtectionRules.protections(input.dataProtectionConfig, account: call.account)
    try DataProtectionRules.check(input.onSourceDDoSProtectionConfig)
    let next = call.ids.uuid()
    try await store.write { tx in
      var record = try Self.webACL(input.id, input.name, input.lockToken, tx, call.scope)
      var acl = Self.answer(record)
      let known = acl.rules ?? []
      let rules = try ShieldGroups.kept(input.rules ?? [], of: known, by: call.principal)
      let groups = ShieldGroups.groups(ShieldGroups.isOwner(call.principal) ? rules : known)
      acl.capacity = try Self.check(
        rules, input.customResponseBodies, input.defaultAction, tx, call.scope, shieldGroups: groups)
      acl.description = input.description
      acl.defaultAction = input.defaultAction
      acl.rules = rules
      acl.visibilityConfig = input.visibilityConfig
      acl.captchaConfig = input.captchaConfig
      acl.challengeConfig = input.challengeConfig
      acl.customResponseBodies = input.customResponseBodies
      acl.tokenDomains = input.tokenDomains
      acl.associationConfig = input.associationConfig
      acl.dataProtectionConfig = input.dataProtectionConfig
      acl.onSourceDDoSProtectionConfig = input.onSourceDDoSProtectionConfig
      acl.applicationConfig = input.applicationConfig
      record.acl = Self.shapes.json(acl)
      record.lockToken = next
      try tx.put(record, call.scope)
    }
    return .make { $0.nextLockToken = next }
  }

  private static func webACL(
    _ id: String, _ name: String, _ token: String, _ tx: Transaction, _ scope: Scope
  ) throws -> WebACLRecord {
    guard let record = try tx.get(WebACLRecord.self, scope, id), record.name == name else { throw WAFError.notFound }
    guard record.lockToken == token else { throw WAFError.staleToken }
    return record
  }

  func deleteWebACL(_ input: WAFv2.DeleteWebACLRequest, _ call: CallContext) async throws -> WAFv2.DeleteWebACLResponse
  {
    try Self.requireRegional(input.scope)
    let arn = Self.arn("webacl", input.name, input.id, call)
    try await dropStaleAssociations(arn, call)
    try await store.write { tx in
      let record = try Self.webACL(input.id, input.name, input.lockToken, tx, call.scope)
      guard try tx.find(AssociationRecord.self, call.scope, index: "webACL", record.arn).isEmpty else {
        throw WAFError.associated
      }
      try tx.delete(LoggingRecord.self, call.scope, record.arn)
      try tx.delete(WebACLRecord.self, call.scope, record.id)
    }
    return .init()
  }

  func listWebACLs(_ input: WAFv2.ListWebACLsRequest, _ call: CallContext) async throws -> WAFv2.ListWebACLsResponse {
    try Self.requireRegional(input.scope)
    let all = try await store.read { try $0.list(WebACLRecord.self, call.scope) }
    let (items, next) = try Self.page(all, limit: input.limit, marker: input.nextMarker, id: \.id)
    return .make {
      $0.webACLs = items.map(Self.summary)
      $0.nextMarker = next
    }
  }

  private static func summary(_ record: WebACLRecord) -> WAFv2.WebACLSummary {
    .make {
      $0.id = record.id
      $0.name = record.name
      $0.arn = record.arn
      $0.lockToken = record.lockToken
      $0.description = record.acl["Description"]?.text ?? ""
    }
  }
}
