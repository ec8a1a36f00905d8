// Loopback addresses: each load balancer, endpoint and task has one of its own, and keeps it.

import AWSCore
import Store

/// An address that somebody holds.
struct AddressRecord: Record {
  static let collection = "platform.address"
  var recordID: String { owner }
  var recordIndex: [String: String] { ["address": address] }
  var owner: String
  var address: String
}

/// The second octet of this castle's addresses, so that two castles on one machine rarely meet.
struct AddressBlockRecord: Record {
  static let collection = "platform.address-block"
  var recordID: String { "block" }
  var block: Int
}

/// Hands out addresses of 127.0.0.0/8: `127.BLOCK.x.y`, the block drawn once per castle.
public struct AddressBook: Sendable {
  let store: Store
  let ids: any IdentifierSource
  private static let scope = Scope(account: "", region: "")

  /// The collections that the book keeps in the store.
  public static var collections: [any Record.Type] { [AddressRecord.self, AddressBlockRecord.self] }

  /// The owner's address; drawn when the owner has none yet.
  /// - Parameter owner: who holds it: a load balancer's ARN, a task's ARN, an endpoint's name.
  public func address(for owner: String) async throws -> String {
    if let held = try await store.get(AddressRecord.self, Self.scope, owner) { return held.address }
    let random = ids.randomBytes(1)[0]
    return try await store.write { tx in
      if let held = try tx.get(AddressRecord.self, Self.scope, owner) { return held.address }
      var block = try tx.get(AddressBlockRecord.self, Self.scope, "block")?.block
      if block == nil {
        // 127.0 to 127.15 are left to others (resolvers like 127.0.0.53, hand-made set-ups).
        let drawn = 16 + Int(random) % 224
        try tx.put(AddressBlockRecord(block: drawn), Self.scope)
        block = drawn
      }
      while true {
        let number = try tx.nextNumber("platform.address", Self.scope) % 65_000 + 1
        // The last octet stays within 1…254, so that nothing looks like a network or broadcast address.
        let address = "127.\(block ?? 16).\(number / 254).\(number % 254 + 1)"
        guard try tx.find(AddressRecord.self, Self.scope, index: "address", address).isEmpty else { continue }
        try tx.put(AddressRecord(owner: owner, address: address), Self.scope)
        return address
      }
    }
  }

  /// Gives the owner's address back.
  public func release(_ owner: String) async throws {
    _ = try await store.write { tx in try tx.delete(AddressRecord.self, Self.scope, owner) }
  }
}
