// CreateServiceLinkedRole, DeleteServiceLinkedRole, GetServiceLinkedRoleDeletionStatus.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

extension IAMService {
  func addServiceLinkedRoleOperations(_ table: inout HandlerTable) {
    table.on(
      IAM.createServiceLinkedRole,
      access: { input, call in
        let name = ServiceLinkedRoles.all[input.awsServiceName]?.role ?? "*"
        let path = "/aws-service-role/\(input.awsServiceName)/"
        return [
          ResourceAccess(
            RoleRecord.arn(for: name, path: path, call.globalScope),
            context: ["iam:AWSServiceName": [input.awsServiceName]])
        ]
      }, createServiceLinkedRole)
    table.on(IAM.deleteServiceLinkedRole, access: on(RoleRecord.self) { $0.roleName }) { input, call in
      let scope = call.globalScope
      let random = call.ids.uuid()
      let task = try await store.write { tx in
        let role = try tx.require(RoleRecord.self, scope, input.roleName)
        guard let service = role.linkedService else {
          throw AWSError.iamInvalidInput("The role \(role.name) is not a service-linked role.")
        }
        let task = "task/aws-service-role/\(service)/\(role.name)/\(random)"
        try tx.delete(RoleRecord.self, scope, role.recordID)
        try tx.delete(RoleUseRecord.self, scope, role.id)
        try tx.put(DeletionTaskRecord(id: task), scope)
        return task
      }
      return .make { $0.deletionTaskId = task }
    }
    table.on(IAM.getServiceLinkedRoleDeletionStatus) { input, call in
      let task = try await store.get(DeletionTaskRecord.self, call.globalScope, input.deletionTaskId)
      guard task != nil else {
        throw AWSError.noSuchEntity("The deletion task with id \(input.deletionTaskId) cannot be found.")
      }
      return .make { $0.status = "SUCCEEDED" }
    }
  }

  private func createServiceLinkedRole(
    _ input: IAM.CreateServiceLinkedRoleRequest, _ call: CallContext
  ) async throws -> IAM.CreateServiceLinkedRoleResponse {
    let service = input.awsServiceName
    guard let known = ServiceLinkedRoles.all[service] else {
      throw AWSError.iamInvalidInput("Service role for \(service) is not known.")
    }
    guard input.customSuffix == nil || known.takesSuffix else {
      throw AWSError.iamInvalidInput("Custom suffix is not allowed for \(service)")
    }
    let name = known.role + (input.customSuffix.map { "_\($0)" } ?? "")
    let scope = call.globalScope
    let id = call.ids.unique("AROA")
    let trust =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"\#(service)"},"Action":"sts:AssumeRole"}]}"#
    let role = try await store.write { tx in
      guard try tx.get(RoleRecord.self, scope, RoleRecord.recordID(for: name)) == nil else {
        throw AWSError.iamInvalidInput(
          "Service role name \(name) has been taken in this account, please try a different suffix.")
      }
      let role = RoleRecord(
        name: name, path: "/aws-service-role/\(service)/", id: id, created: call.now, trust: trust,
        description: input.description.flatMap { $0.isEmpty ? nil : $0 }, maxSessionDuration: 3600,
        policies: HeldPolicies(attached: ["arn:aws:iam::aws:policy/aws-service-role/\(known.policy)"]),
        linkedService: service)
      try tx.put(role, scope)
      return role
    }
    return .make { $0.role = role.shape(scope) }
  }
}
