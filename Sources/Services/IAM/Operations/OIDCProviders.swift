// CreateOpenIDConnectProvider, GetOpenIDConnectProvider, ListOpenIDConnectProviders,
// UpdateOpenIDConnectProviderThumbprint, DeleteOpenIDConnectProvider.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

extension IAMService {
  func addOIDCProviderOperations(_ table: inout HandlerTable) {
    table.on(
      IAM.createOpenIDConnectProvider,
      access: creating(OIDCProviderRecord.self, tags: { $0.tags }) { (Self.bare($0.url), path: nil) },
      createOIDCProvider)
    table.on(
      IAM.getOpenIDConnectProvider, access: on(OIDCProviderRecord.self) { $0.openIDConnectProviderArn }
    ) { input, call in
      let record = try await store.read {
        try $0.require(OIDCProviderRecord.self, call.globalScope, input.openIDConnectProviderArn)
      }
      return .make {
        $0.url = record.url
        $0.clientIDList = record.clientIDs
        $0.thumbprintList = record.thumbprints
        $0.createDate = record.created
        $0.tags = Names.list(record.tags)
      }
    }
    table.on(IAM.listOpenIDConnectProviders) { _, call in
      let all = try await store.read { try $0.list(OIDCProviderRecord.self, call.globalScope) }
      return .make { output in
        output.openIDConnectProviderList = all.map { one in .make { $0.arn = one.arn(call.globalScope) } }
      }
    }
    table.on(
      IAM.updateOpenIDConnectProviderThumbprint, access: on(OIDCProviderRecord.self) { $0.openIDConnectProviderArn }
    ) { input, call in
      try await store.write { tx in
        var record = try tx.require(OIDCProviderRecord.self, call.globalScope, input.openIDConnectProviderArn)
        record.thumbprints = input.thumbprintList.map { $0.lowercased() }
        try tx.put(record, call.globalScope)
      }
      return Empty()
    }
    table.on(
      IAM.deleteOpenIDConnectProvider, access: on(OIDCProviderRecord.self) { $0.openIDConnectProviderArn }
    ) { input, call in
      try await store.write { tx in
        let record = try tx.require(OIDCProviderRecord.self, call.globalScope, input.openIDConnectProviderArn)
        try tx.delete(OIDCProviderRecord.self, call.globalScope, record.recordID)
      }
      return Empty()
    }
  }

  private static func bare(_ url: String) -> String {
    var bare = url.hasPrefix("https://") ? String(url.dropFirst("https://".count)) : url
    while bare.hasSuffix("/") { bare.removeLast() }
    return bare
  }

  private func createOIDCProvider(
    _ input: IAM.CreateOpenIDConnectProviderRequest, _ call: CallContext
  ) async throws -> IAM.CreateOpenIDConnectProviderResponse {
    let url = Self.bare(input.url)
    guard input.url.hasPrefix("https://"), !url.isEmpty, !url.contains("?") else {
      throw AWSError.validationError("Invalid Open ID Connect Provider URL")
    }
    let tags = try Names.tags(input.tags)
    let scope = call.globalScope
    // AWS fetches the thumbprint when none is given; Castle does not go to the network for it.
    let record = OIDCProviderRecord(
      url: url, clientIDs: input.clientIDList ?? [], thumbprints: (input.thumbprintList ?? []).map { $0.lowercased() },
      created: call.now, tags: tags)
    try await store.write { tx in
      guard try tx.get(OIDCProviderRecord.self, scope, url) == nil else {
        throw AWSError.entityAlreadyExists("Provider with url https://\(url) already exists.")
      }
      guard try tx.count(OIDCProviderRecord.self, scope) < Limits.oidcProviders else {
        throw AWSError.limitExceeded("OpenIdConnectProvidersPerAccount", Limits.oidcProviders)
      }
      try tx.put(record, scope)
    }
    return .make {
      $0.openIDConnectProviderArn = record.arn(scope)
      $0.tags = Names.list(tags)
    }
  }
}
