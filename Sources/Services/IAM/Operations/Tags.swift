// Tag, Untag and List of tags, for the six kinds of things that have them: one way for all.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

extension IAMService {
  func addTagOperations(_ table: inout HandlerTable) {
    table.on(IAM.tagUser, access: on(UserRecord.self, context: { Self.requestTags($0.tags) }) { $0.userName }) {
      i, call in
      try await tag(UserRecord.self, i.userName, i.tags, call)
    }
    table.on(IAM.tagRole, access: on(RoleRecord.self, context: { Self.requestTags($0.tags) }) { $0.roleName }) {
      i, call in
      try await tag(RoleRecord.self, i.roleName, i.tags, call)
    }
    table.on(IAM.tagPolicy, access: on(PolicyRecord.self, context: { Self.requestTags($0.tags) }) { $0.policyArn }) {
      i, call in
      try await tag(PolicyRecord.self, i.policyArn, i.tags, call)
    }
    table.on(
      IAM.tagInstanceProfile,
      access: on(InstanceProfileRecord.self, context: { Self.requestTags($0.tags) }) { $0.instanceProfileName }
    ) { i, call in
      try await tag(InstanceProfileRecord.self, i.instanceProfileName, i.tags, call)
    }
    table.on(
      IAM.tagOpenIDConnectProvider,
      access: on(OIDCProviderRecord.self, context: { Self.requestTags($0.tags) }) { $0.openIDConnectProviderArn }
    ) { i, call in
      try await tag(OIDCProviderRecord.self, i.openIDConnectProviderArn, i.tags, call)
    }
    table.on(
      IAM.tagServerCertificate,
      access: on(ServerCertificateRecord.self, context: { Self.requestTags($0.tags) }) { $0.serverCertificateName }
    ) { i, call in
      try await tag(ServerCertificateRecord.self, i.serverCertificateName, i.tags, call)
    }
    table.on(IAM.untagUser, access: on(UserRecord.self, context: { ["aws:TagKeys": $0.tagKeys] }) { $0.userName }) {
      i, call in
      try await untag(UserRecord.self, i.userName, i.tagKeys, call)
    }
    table.on(IAM.untagRole, access: on(RoleRecord.self, context: { ["aws:TagKeys": $0.tagKeys] }) { $0.roleName }) {
      i, call in
      try await untag(RoleRecord.self, i.roleName, i.tagKeys, call)
    }
    table.on(IAM.untagPolicy, access: on(PolicyRecord.self, context: { ["aws:TagKeys": $0.tagKeys] }) { $0.policyArn })
    { i, call in
      try await untag(PolicyRecord.self, i.policyArn, i.tagKeys, call)
    }
    table.on(
      IAM.untagInstanceProfile,
      access: on(InstanceProfileRecord.self, context: { ["aws:TagKeys": $0.tagKeys] }) { $0.instanceProfileName }
    ) { i, call in
      try await untag(InstanceProfileRecord.self, i.instanceProfileName, i.tagKeys, call)
    }
    table.on(
      IAM.untagOpenIDConnectProvider,
      access: on(OIDCProviderRecord.self, context: { ["aws:TagKeys": $0.tagKeys] }) { $0.openIDConnectProviderArn }
    ) { i, call in
      try await untag(OIDCProviderRecord.self, i.openIDConnectProviderArn, i.tagKeys, call)
    }
    table.on(
      IAM.untagServerCertificate,
      access: on(ServerCertificateRecord.self, context: { ["aws:TagKeys": $0.tagKeys] }) { $0.serverCertificateName }
    ) { i, call in
      try await untag(ServerCertificateRecord.self, i.serverCertificateName, i.tagKeys, call)
    }
    table.on(IAM.listUserTags, access: on(UserRecord.self) { $0.userName }) { i, call in
      let page = try await tags(UserRecord.self, i.userName, i.marker, i.maxItems, call)
      return .make { ($0.tags, $0.isTruncated, $0.marker) = (page.items, page.isTruncated, page.marker) }
    }
    table.on(IAM.listRoleTags, access: on(RoleRecord.self) { $0.roleName }) { i, call in
      let page = try await tags(RoleRecord.self, i.roleName, i.marker, i.maxItems, call)
      return .make { ($0.tags, $0.isTruncated, $0.marker) = (page.items, page.isTruncated, page.marker) }
    }
    table.on(IAM.listPolicyTags, access: on(PolicyRecord.self) { $0.policyArn }) { i, call in
      let page = try await tags(PolicyRecord.self, i.policyArn, i.marker, i.maxItems, call)
      return .make { ($0.tags, $0.isTruncated, $0.marker) = (page.items, page.isTruncated, page.marker) }
    }
    table.on(IAM.listInstanceProfileTags, access: on(InstanceProfileRecord.self) { $0.instanceProfileName }) {
      i, call in
      let page = try await tags(InstanceProfileRecord.self, i.instanceProfileName, i.marker, i.maxItems, call)
      return .make { ($0.tags, $0.isTruncated, $0.marker) = (page.items, page.isTruncated, page.marker) }
    }
    table.on(IAM.listOpenIDConnectProviderTags, access: on(OIDCProviderRecord.self) { $0.openIDConnectProviderArn }) {
      i, call in
      let page = try await tags(OIDCProviderRecord.self, i.openIDConnectProviderArn, i.marker, i.maxItems, call)
      return .make { ($0.tags, $0.isTruncated, $0.marker) = (page.items, page.isTruncated, page.marker) }
    }
    table.on(IAM.listServerCertificateTags, access: on(ServerCertificateRecord.self) { $0.serverCertificateName }) {
      i, call in
      let page = try await tags(ServerCertificateRecord.self, i.serverCertificateName, i.marker, i.maxItems, call)
      return .make { ($0.tags, $0.isTruncated, $0.marker) = (page.items, page.isTruncated, page.marker) }
    }
  }

  private func changeTags<R: Tagged>(
    _ type: R.Type, _ reference: String, _ call: CallContext,
    _ body: @escaping @Sendable (inout [String: String]) throws -> Void
  ) async throws -> Empty {
    guard AWSManagedPolicies.all[reference] == nil else { throw Self.notYours(reference) }
    try await store.write { tx in
      var record = try tx.require(type, call.globalScope, reference)
      try body(&record.tags)
      try tx.put(record, call.globalScope)
    }
    return Empty()
  }

  private func tag<R: Tagged>(
    _ type: R.Type, _ reference: String, _ tags: [IAM.Tag], _ call: CallContext
  ) async throws -> Empty {
    try await changeTags(type, reference, call) { $0 = try Names.adding(tags, to: $0) }
  }

  private func untag<R: Tagged>(
    _ type: R.Type, _ reference: String, _ keys: [String], _ call: CallContext
  ) async throws -> Empty {
    let gone = Set(keys.map { $0.lowercased() })
    return try await changeTags(type, reference, call) { tags in
      tags = tags.filter { !gone.contains($0.key.lowercased()) }
    }
  }

  private func tags<R: Tagged>(
    _ type: R.Type, _ reference: String, _ marker: String?, _ maxItems: Int?, _ call: CallContext
  ) async throws -> Page<IAM.Tag> {
    if AWSManagedPolicies.all[reference] != nil { return try Page([], marker: nil, maxItems: nil) { $0.key } }
    let record = try await store.read { try $0.require(type, call.globalScope, reference) }
    return try Page(Names.list(record.tags), marker: marker, maxItems: maxItems) { $0.key }
  }
}
