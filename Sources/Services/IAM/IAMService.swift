// IAM and STS: identities, their policies and keys, and the answer to who may do what.
//
// One module answers for both APIs, because they share one thing: the identities. It is also the `Authority` that the
// request chain asks for keys and for permission.

import AWSCore
import IAMModel
import STSModel
import ServiceKit
import Store

/// IAM, STS, and the authority of the request chain.
public struct IAMService: AWSService, Authority {
  let environment: ServiceEnvironment
  /// The machine owner's key: the root of the account.
  let owner: AccessKey
  let policies = PolicyCache()

  /// - Parameter owner: the key of the machine's owner, whose principal is the account's root.
  public init(_ environment: ServiceEnvironment, owner: AccessKey) {
    self.environment = environment
    self.owner = owner
  }

  var store: Store { environment.store }

  /// The collections that IAM and STS keep.
  public static var collections: [any Record.Type] {
    [
      AccountRecord.self, UserRecord.self, GroupRecord.self, RoleRecord.self, RoleUseRecord.self, PolicyRecord.self,
      InstanceProfileRecord.self, AccessKeyRecord.self, SessionRecord.self, OIDCProviderRecord.self,
      ServerCertificateRecord.self, DeletionTaskRecord.self,
    ]
  }

  /// IAM and STS.
  public var apis: [ServiceAPI] {
    var iam = HandlerTable()
    addUserOperations(&iam)
    addLoginProfileOperations(&iam)
    addAccessKeyOperations(&iam)
    addGroupOperations(&iam)
    addRoleOperations(&iam)
    addServiceLinkedRoleOperations(&iam)
    addInstanceProfileOperations(&iam)
    addPolicyOperations(&iam)
    addPolicyVersionOperations(&iam)
    addInlinePolicyOperations(&iam)
    addAttachmentOperations(&iam)
    addBoundaryOperations(&iam)
    addTagOperations(&iam)
    addOIDCProviderOperations(&iam)
    addServerCertificateOperations(&iam)
    addAccountOperations(&iam)
    addSimulationOperations(&iam)
    var sts = HandlerTable()
    addSTSOperations(&sts)
    return [ServiceAPI(IAM.model, actionPrefix: "iam", iam), ServiceAPI(STS.model, actionPrefix: "sts", sts)]
  }

  /// The CloudFormation types `AWS::IAM::*`.
  public var resourceProviders: [ResourceProvider] {
    [
      RoleResource.provider, InlinePolicyResource.provider, ManagedPolicyResource.provider, UserResource.provider,
      GroupResource.provider, AccessKeyResource.provider, InstanceProfileResource.provider,
      ServiceLinkedRoleResource.provider,
    ]
  }

  /// Notes when the account was opened, which `GetUser` tells its root.
  public func prepareAccount(_ account: String, region: String) async throws {
    let scope = Scope(account: account, region: "global")
    let now = environment.clock.now
    try await store.write { tx in
      guard try tx.get(AccountRecord.self, scope, AccountRecord.id) == nil else { return }
      try tx.put(AccountRecord(created: now), scope)
    }
  }

  /// Removes temporary credentials that have run out, until the task is cancelled.
  public func run() async throws { try await removeExpiredSessions() }
}
