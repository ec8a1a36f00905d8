// CreateAccountAlias, ListAccountAliases, DeleteAccountAlias, GetAccountSummary.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

extension IAMService {
  func addAccountOperations(_ table: inout HandlerTable) {
    table.on(IAM.createAccountAlias) { input, call in
      try await store.write { tx in
        var account =
          try tx.get(AccountRecord.self, call.globalScope, AccountRecord.id)
          ?? AccountRecord(created: call.now)
        // An account has one alias; another takes its place.
        account.alias = input.accountAlias
        try tx.put(account, call.globalScope)
      }
      return Empty()
    }
    table.on(IAM.listAccountAliases) { _, call in
      let account = try await store.get(AccountRecord.self, call.globalScope, AccountRecord.id)
      return .make {
        $0.accountAliases = account?.alias.map { [$0] } ?? []
        $0.isTruncated = false
      }
    }
    table.on(IAM.deleteAccountAlias) { input, call in
      try await store.write { tx in
        guard var account = try tx.get(AccountRecord.self, call.globalScope, AccountRecord.id),
          account.alias == input.accountAlias
        else { throw AWSError.noSuchEntity("The Account Alias \(input.accountAlias) cannot be found.") }
        account.alias = nil
        try tx.put(account, call.globalScope)
      }
      return Empty()
    }
    table.on(IAM.getAccountSummary) { _, call in
      let scope = call.globalScope
      let summary = try await store.read { snapshot in
        let policies = try snapshot.list(PolicyRecord.self, scope)
        return [
          "Users": try snapshot.count(UserRecord.self, scope), "UsersQuota": Limits.users,
          "Groups": try snapshot.count(GroupRecord.self, scope), "GroupsQuota": Limits.groups,
          "Roles": try snapshot.count(RoleRecord.self, scope), "RolesQuota": Limits.roles,
          "Policies": policies.count, "PoliciesQuota": Limits.policies,
          "PolicyVersionsInUse": policies.reduce(0) { $0 + $1.versions.count }, "PolicyVersionsInUseQuota": 10000,
          "InstanceProfiles": try snapshot.count(InstanceProfileRecord.self, scope),
          "InstanceProfilesQuota": Limits.instanceProfiles,
          "ServerCertificates": try snapshot.count(ServerCertificateRecord.self, scope),
          "ServerCertificatesQuota": Limits.serverCertificates,
          "Providers": try snapshot.count(OIDCProviderRecord.self, scope),
          "AccessKeysPerUserQuota": Limits.accessKeysPerUser, "GroupsPerUserQuota": Limits.groupsPerUser,
          "AttachedPoliciesPerUserQuota": Limits.attachedPolicies,
          "AttachedPoliciesPerGroupQuota": Limits.attachedPolicies,
          "AttachedPoliciesPerRoleQuota": Limits.attachedPolicies, "PolicySizeQuota": Limits.policySize,
          "UserPolicySizeQuota": Limits.userPolicySize, "GroupPolicySizeQuota": Limits.groupPolicySize,
          "AssumeRolePolicySizeQuota": Limits.trustPolicySize, "VersionsPerPolicyQuota": Limits.policyVersions,
          "AccountAccessKeysPresent": 1, "AccountMFAEnabled": 0, "AccountSigningCertificatesPresent": 0,
          "MFADevices": 0, "MFADevicesInUse": 0,
        ]
      }
      return .make { $0.summaryMap = summary }
    }
  }
}
