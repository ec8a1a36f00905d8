// Tags of all resources.

import AWSCore
import AWSWire
import EC2Model
import ServiceKit
import Store

extension EC2Service {
  /// Changes the tags of one resource, whatever its kind.
  private static func retag(
    _ id: String, _ tx: Transaction, _ scope: Scope, _ change: (inout [String: String]) -> Void
  ) throws {
    func edit<R: NetworkRecord>(_ type: R.Type) throws { try edit(find(R.self, id, tx, scope)) }
    func edit<R: NetworkRecord>(_ found: R) throws {
      var record = found
      change(&record.tags)
      guard record.tags.count <= 50 else {
        throw AWSError("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
      }
      try tx.put(record, scope)
    }
    switch id.prefix(while: { $0 != "-" }) {
    case "vpc": try edit(VPCRecord.self)
    case "subnet": try edit(SubnetRecord.self)
    case "sg": try edit(SecurityGroupRecord.self)
    case "rtb": try edit(RouteTableRecord.self)
    case "igw": try edit(InternetGatewayRecord.self)
    case "nat": try edit(NATGatewayRecord.self)
    case "eipalloc": try edit(ElasticIPRecord.self)
    case "i": try edit(instanceRecord(id, tx, scope))
    case "sgr":
      for var group in try tx.list(SecurityGroupRecord.self, scope) {
        guard let at = group.rules.firstIndex(where: { $0.id == id }) else { continue }
        change(&group.rules[at].tags)
        try tx.put(group, scope)
        return
      }
      throw AWSError("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '\(id)' does not exist")
    default: throw AWSError("InvalidID", "The ID '\(id)' is not valid")
    }
  }

  func createTags(_ input: EC2.CreateTagsRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.scope
    for tag in input.tags
    where tag.key?.lowercased().hasPrefix("aws:") == true && call.principal.kind != .service
      && call.calledVia.isEmpty
    {
      throw EC2Error.invalid(tag.key ?? "", "key", "Tag keys starting with 'aws:' are reserved for internal use")
    }
    try await store.write { tx in
      for id in input.resources {
        try Self.retag(id, tx, scope) { tags in for tag in input.tags { tags[tag.key ?? ""] = tag.value ?? "" } }
      }
    }
    return Empty()
  }

  func deleteTags(_ input: EC2.DeleteTagsRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.scope
    try await store.write { tx in
      for id in input.resources {
        try Self.retag(id, tx, scope) { tags in
          guard let gone = input.tags else {
            tags = [:]
            return
          }
          for tag in gone where tag.value == nil || tags[tag.key ?? ""] == tag.value { tags[tag.key ?? ""] = nil }
        }
      }
    }
    return Empty()
  }

  func describeTags(_ input: EC2.DescribeTagsRequest, _ call: CallContext) async throws -> EC2.DescribeTagsResult {
    let scope = call.scope
    let filters = Filters(input.filters)
    let found = try await store.read { snapshot in
      var rows: [(String, String, [String: String])] = []
      func add<R: NetworkRecord>(_ type: R.Type) throws {
        rows += try snapshot.list(R.self, scope).map { ($0.id, R.resourceType, $0.tags) }
      }
      try add(VPCRecord.self)
      try add(SubnetRecord.self)
      try add(SecurityGroupRecord.self)
      try add(RouteTableRecord.self)
      try add(InternetGatewayRecord.self)
      try add(NATGatewayRecord.self)
      try add(ElasticIPRecord.self)
      try add(InstanceRecord.self)
      return rows
    }
    var answers: [EC2.TagDescription] = []
    for (id, type, tags) in found {
      for (key, value) in tags.sorted(by: { $0.key < $1.key }) {
        let fields = ["resource-id": [id], "resource-type": [type], "key": [key], "value": [value]]
        guard try filters.pass(fields, tags: [key: value]) else { continue }
        answers.append(
          .make {
            $0.resourceId = id
            $0.resourceType = type
            $0.key = key
            $0.value = value
          })
      }
    }
    return .make { $0.tags = answers }
  }
}
