// CreateLoginProfile, GetLoginProfile, DeleteLoginProfile. Castle has no console; the password is kept sealed.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

extension IAMService {
  func addLoginProfileOperations(_ table: inout HandlerTable) {
    table.on(IAM.createLoginProfile, access: onUser { $0.userName }, createLoginProfile)
    table.on(IAM.getLoginProfile, access: onUser { $0.userName }) { input, call in
      let name = try Self.userName(input.userName, call)
      let user = try await store.read { try $0.require(UserRecord.self, call.globalScope, name) }
      guard let login = user.login else { throw Self.noLogin(name) }
      return .make { $0.loginProfile = Self.shape(login, user) }
    }
    table.on(IAM.deleteLoginProfile, access: onUser { $0.userName }) { input, call in
      let name = try Self.userName(input.userName, call)
      try await store.write { tx in
        var user = try tx.require(UserRecord.self, call.globalScope, name)
        guard user.login != nil else { throw Self.noLogin(name) }
        user.login = nil
        try tx.put(user, call.globalScope)
      }
      return Empty()
    }
  }

  private static func noLogin(_ name: String) -> AWSError {
    .noSuchEntity("Login Profile for User \(name) cannot be found.")
  }

  private static func shape(_ login: UserRecord.LoginProfile, _ user: UserRecord) -> IAM.LoginProfile {
    .make {
      $0.createDate = login.created
      $0.passwordResetRequired = login.resetRequired
      $0.userName = user.name
    }
  }

  private func createLoginProfile(
    _ input: IAM.CreateLoginProfileRequest, _ call: CallContext
  ) async throws -> IAM.CreateLoginProfileResponse {
    let name = try Self.userName(input.userName, call)
    let sealer = store.sealer
    return try await store.write { tx in
      var user = try tx.require(UserRecord.self, call.globalScope, name)
      guard user.login == nil else {
        throw AWSError.entityAlreadyExists("Login Profile for user \(name) already exists.")
      }
      let password = try input.password.map {
        try SealedBytes(Array($0.utf8), sealer: sealer, context: "iam.login/\(user.id)")
      }
      let login = UserRecord.LoginProfile(
        created: call.now, resetRequired: input.passwordResetRequired ?? false, password: password)
      user.login = login
      try tx.put(user, call.globalScope)
      return .make { $0.loginProfile = Self.shape(login, user) }
    }
  }
}
