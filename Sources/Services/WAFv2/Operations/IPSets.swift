// IP sets: create, get, update, delete, list.

import AWSCore
import AWSWire
import Glibc
import ServiceKit
import Store
import WAFv2Model

extension WAFv2Service {
  func createIPSet(_ input: WAFv2.CreateIPSetRequest, _ call: CallContext) async throws -> WAFv2.CreateIPSetResponse {
    try Self.requireRegional(input.scope)
    try Self.check(input.addresses, input.ipAddressVersion)
    let id = call.ids.uuid()
    let record = IPSetRecord(
      id: id, name: input.name, arn: Self.arn("ipset", input.name, id, call), lockToken: call.ids.uuid(),
      version: input.ipAddressVersion, addresses: input.addresses, description: input.description,
      tags: try Tags.read(input.tags))
    try await store.write { tx in
      guard try tx.find(IPSetRecord.self, call.scope, index: "name", record.name).isEmpty else {
        throw WAFError.duplicate
      }
      guard try tx.count(IPSetRecord.self, call.scope) < WAFLimits.ipSetsMax else { throw WAFError.limit }
      try tx.put(record, call.scope)
    }
    return .make { $0.summary = Self.summary(record) }
  }

  /// - Throws: `WAFInvalidParameterException` for what is no network of that version.
  private static func check(_ addresses: [String], _ version: String) throws {
    guard addresses.count <= WAFLimits.addressesPerIPSetMax else { throw WAFError.limit }
    for address in addresses {
      let parts = address.split(separator: "/", omittingEmptySubsequences: false)
      let isV6 = version == "IPV6"
      var buffer = in6_addr()
      guard parts.count == 2, let bits = Int(parts[1]), (1...(isV6 ? 128 : 32)).contains(bits),
        inet_pton(isV6 ? AF_INET6 : AF_INET, String(parts[0]), &buffer) == 1
      else {
        throw WAFError.invalid(
          "The parameter contains formatting that is not valid", field: "IP_ADDRESS", parameter: address)
      }
    }
  }

  func getIPSet(_ input: WAFv2.GetIPSetRequest, _ call: CallContext) async throws -> WAFv2.GetIPSetResponse {
    try Self.requireRegional(input.scope)
    guard let record = try await store.get(IPSetRecord.self, call.scope, input.id), record.name == input.name else {
      throw WAFError.notFound
    }
    return .make {
      $0.ipSet = .make {
        $0.id = record.id
        $0.name = record.name
        $0.arn = record.arn
        $0.description = record.description
        $0.ipAddressVersion = record.version
        $0.addresses = record.addresses
      }
      $0.lockToken = record.lockToken
    }
  }

  func updateIPSet(_ input: WAFv2.UpdateIPSetRequest, _ call: CallContext) async throws -> WAFv2.UpdateIPSetResponse {
    try Self.requireRegional(input.scope)
    let next = call.ids.uuid()
    try await store.write { tx in
      var record = try Self.ipSet(input.id, input.name, input.lockToken, tx, call.scope)
      try Self.check(input.addresses, record.version)
      record.addresses = input.addresses
      record.description = input.description
      record.lockToken = next
      try tx.put(record, call.scope)
    }
    return .make { $0.nextLockToken = next }
  }

  func deleteIPSet(_ input: WAFv2.DeleteIPSetRequest, _ call: CallContext) async throws -> WAFv2.DeleteIPSetResponse {
    try Self.requireRegional(input.scope)
    try await store.write { tx in
      let record = try Self.ipSet(input.id, input.name, input.lockToken, tx, call.scope)
      guard try !Self.isReferenced(\.ipSets, record.arn, tx, call.scope) else { throw WAFError.associated }
      try tx.delete(IPSetRecord.self, call.scope, record.id)
    }
    return .init()
  }

  private static func ipSet(
    _ id: String, _ name: String, _ token: String, _ tx: Transaction, _ scope: Scope
  ) throws -> IPSetRecord {
    guard let record = try tx.get(IPSetRecord.self, scope, id), record.name == name else { throw WAFError.notFound }
    guard record.lockToken == token else { throw WAFError.staleToken }
    return record
  }

  func listIPSets(_ input: WAFv2.ListIPSetsRequest, _ call: CallContext) async throws -> WAFv2.ListIPSetsResponse {
    try Self.requireRegional(input.scope)
    let all = try await store.read { try $0.list(IPSetRecord.self, call.scope) }
    let (items, next) = try Self.page(all, limit: input.limit, marker: input.nextMarker, id: \.id)
    return .make {
      $0.ipSets = items.map(Self.summary)
      $0.nextMarker = next
    }
  }

  private static func summary(_ record: IPSetRecord) -> WAFv2.IPSetSummary {
    .make {
      $0.id = record.id
      $0.name = record.name
      $0.arn = record.arn
      $0.lockToken = record.lockToken
      $0.description = record.description ?? ""
    }
  }
}
