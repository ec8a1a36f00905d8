// From records to the shapes of the API.

import AWSCore
import IAMModel
import Store

extension HeldPolicies {
  var boundaryShape: IAM.AttachedPermissionsBoundary? {
    boundary.map { arn in
      .make {
        $0.permissionsBoundaryArn = arn
        $0.permissionsBoundaryType = "Policy"
      }
    }
  }
}

extension UserRecord {
  /// - Parameter full: with what only `GetUser` and `CreateUser` tell.
  func shape(_ scope: Scope, full: Bool = false) -> IAM.User {
    .make {
      $0.arn = arn(scope)
      $0.createDate = created
      $0.path = path
      $0.userId = id
      $0.userName = name
      if full {
        $0.permissionsBoundary = policies.boundaryShape
        $0.tags = tags.isEmpty ? nil : Names.list(tags)
      }
    }
  }
}

extension GroupRecord {
  func shape(_ scope: Scope) -> IAM.Group {
    .make {
      $0.arn = arn(scope)
      $0.createDate = created
      $0.groupId = id
      $0.groupName = name
      $0.path = path
    }
  }
}

extension RoleRecord {
  /// - Parameter full: with what only `GetRole` and `CreateRole` tell.
  func shape(_ scope: Scope, full: Bool = false, use: RoleUseRecord? = nil) -> IAM.Role {
    .make {
      $0.arn = arn(scope)
      $0.assumeRolePolicyDocument = PolicyText.encoded(trust)
      $0.createDate = created
      $0.description = description
      $0.maxSessionDuration = maxSessionDuration
      $0.path = path
      $0.roleId = id
      $0.roleName = name
      if full {
        $0.permissionsBoundary = policies.boundaryShape
        $0.tags = tags.isEmpty ? nil : Names.list(tags)
        $0.roleLastUsed = .make {
          $0.lastUsedDate = use?.date
          $0.region = use?.region
        }
      }
    }
  }
}

extension InstanceProfileRecord {
  func shape(_ snapshot: Snapshot, _ scope: Scope, full: Bool = false) throws -> IAM.InstanceProfile {
    let role = try role.flatMap { try snapshot.get(RoleRecord.self, scope, RoleRecord.recordID(for: $0)) }
    return .make {
      $0.arn = arn(scope)
      $0.createDate = created
      $0.instanceProfileId = id
      $0.instanceProfileName = name
      $0.path = path
      $0.roles = role.map { [$0.shape(scope)] } ?? []
      if full { $0.tags = Names.list(tags) }
    }
  }
}

extension ServerCertificateRecord {
  func shape(_ scope: Scope) -> IAM.ServerCertificateMetadata {
    .make {
      $0.arn = arn(scope)
      $0.expiration = expires
      $0.path = path
      $0.serverCertificateId = id
      $0.serverCertificateName = name
      $0.uploadDate = created
    }
  }
}
