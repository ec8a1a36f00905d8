// ListAccountSettings, PutAccountSetting, PutAccountSettingDefault.

import AWSCore
import ECSModel
import ServiceKit
import Store

extension ECSService {
  /// The settings and what holds when nobody has put them.
  private static let defaults: [(name: String, value: String)] = [
    ("awsvpcTrunking", "disabled"), ("containerInsights", "disabled"), ("containerInstanceLongArnFormat", "enabled"),
    ("defaultLogDriverMode", "non-blocking"), ("dualStackIPv6", "enabled"), ("fargateEventWindows", "disabled"),
    ("fargateFIPSMode", "disabled"), ("fargateTaskRetirementWaitPeriod", "7"), ("guardDutyActivate", "off"),
    ("serviceLongArnFormat", "enabled"), ("tagResourceAuthorization", "off"), ("taskLongArnFormat", "enabled"),
  ]

  func putAccountSetting(
    _ input: ECS.PutAccountSettingRequest, _ call: CallContext
  ) async throws -> ECS.PutAccountSettingResponse {
    let setting = try await put(input.name, input.value, input.principalArn ?? call.principal.arn, call)
    return .make { $0.setting = setting }
  }

  func putAccountSettingDefault(
    _ input: ECS.PutAccountSettingDefaultRequest, _ call: CallContext
  ) async throws -> ECS.PutAccountSettingDefaultResponse {
    let setting = try await put(input.name, input.value, Self.root(call), call)
    return .make { $0.setting = setting }
  }

  func listAccountSettings(
    _ input: ECS.ListAccountSettingsRequest, _ call: CallContext
  ) async throws -> ECS.ListAccountSettingsResponse {
    let principal = input.principalArn ?? call.principal.arn
    let stored = try await store.read { try $0.list(SettingRecord.self, call.scope) }
    var settings: [ECS.Setting] = []
    for (name, value) in Self.defaults where input.name == nil || input.name == name {
      let own = stored.first { $0.name == name && $0.principal == principal }
      let record = own ?? stored.first { $0.name == name && $0.principal == Self.root(call) }
      if let record, input.effectiveSettings == true || record.principal == principal {
        settings.append(
          Self.setting(name, record.value, input.effectiveSettings == true ? principal : record.principal))
      } else if input.effectiveSettings == true {
        settings.append(Self.setting(name, value, principal))
      }
    }
    settings.removeAll { input.value != nil && $0.value != input.value }
    let page = try Page(settings, limit: input.maxResults ?? Limits.page, token: input.nextToken) { $0.name ?? "" }
    return .make {
      $0.settings = page.items
      $0.nextToken = page.next
    }
  }

  // MARK: -

  private func put(_ name: String, _ value: String, _ principal: String, _ call: CallContext) async throws
    -> ECS.Setting
  {
    guard Self.defaults.contains(where: { $0.name == name }) else {
      throw ECSError.invalid("Unknown setting name: \(name)")
    }
    try await store.write { tx in
      try tx.put(SettingRecord(principal: principal, name: name, value: value), call.scope)
    }
    return Self.setting(name, value, principal)
  }

  private static func root(_ call: CallContext) -> String { "arn:aws:iam::\(call.account):root" }

  private static func setting(_ name: String, _ value: String, _ principal: String) -> ECS.Setting {
    .make {
      $0.name = name
      $0.value = value
      $0.principalArn = principal
      $0.type = name == "guardDutyActivate" ? "aws_managed" : "user"
    }
  }

  /// The value that holds for the caller.
  static func setting(_ name: String, _ snapshot: Snapshot, _ call: CallContext) throws -> String {
    for principal in [call.principal.arn, root(call)] {
      if let record = try snapshot.get(SettingRecord.self, call.scope, "\(principal)|\(name)") { return record.value }
    }
    return defaults.first { $0.name == name }?.value ?? ""
  }
}
