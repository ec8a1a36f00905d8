// What web ACLs did: samples of requests, and whom rate-based rules hold back. Managed groups, told as they are here.

import AWSCore
import AWSWire
import GateProtocol
import ServiceKit
import Store
import WAFv2Model
import WebACL

extension WAFv2Service {
  func getSampledRequests(
    _ input: WAFv2.GetSampledRequestsRequest, _ call: CallContext
  ) async throws -> WAFv2.GetSampledRequestsResponse {
    try Self.requireRegional(input.scope)
    guard try await !store.read({ try $0.find(WebACLRecord.self, call.scope, index: "arn", input.webAclArn) }).isEmpty
    else { throw WAFError.notFound }
    // AWS keeps three hours; a window that begins earlier is shortened.
    let oldest = call.now.milliseconds - 3 * 3600 * 1000
    let start = max(input.timeWindow.startTime.milliseconds, oldest)
    let end = input.timeWindow.endTime.milliseconds
    let found = feed.samples(webACL: input.webAclArn, metric: input.ruleMetricName, from: start, to: end)
    let chosen = found.prefix(max(1, min(input.maxItems, 500)))
    return .make {
      $0.sampledRequests = chosen.map(Self.answer)
      $0.populationSize = found.reduce(0) { $0 + $1.weight }
      $0.timeWindow = .make {
        $0.startTime = Timestamp(milliseconds: start)
        $0.endTime = Timestamp(milliseconds: end)
      }
    }
  }

  private static func answer(_ sample: WebACLSample) -> WAFv2.SampledHTTPRequest {
    func headers(_ list: [WebACL.Header]) -> [WAFv2.HTTPHeader] {
      list.map { header in
        .make {
          $0.name = header.name
          $0.value = header.value
        }
      }
    }
    return .make {
      $0.request = .make {
        $0.clientIP = sample.clientIP
        $0.country = sample.country ?? "-"
        $0.method = sample.method
        $0.uri = sample.uri
        $0.httpVersion = sample.version
        $0.headers = headers(sample.headers)
      }
      $0.action = sample.action
      $0.overriddenAction = sample.overriddenAction
      $0.ruleNameWithinRuleGroup = sample.ruleWithinGroup
      $0.timestamp = Timestamp(milliseconds: Int64(sample.time))
      $0.weight = sample.weight
      $0.responseCodeSent = sample.status
      if !sample.inserted.isEmpty { $0.requestHeadersInserted = headers(sample.inserted) }
      if !sample.labels.isEmpty { $0.labels = sample.labels.map { label in .make { $0.name = label } } }
    }
  }

  func getRateBasedStatementManagedKeys(
    _ input: WAFv2.GetRateBasedStatementManagedKeysRequest, _ call: CallContext
  ) async throws -> WAFv2.GetRateBasedStatementManagedKeysResponse {
    try Self.requireRegional(input.scope)
    guard let record = try await store.get(WebACLRecord.self, call.scope, input.webACLId),
      record.name == input.webACLName
    else { throw WAFError.notFound }
    let (rule, groupRule) = (input.ruleName, input.ruleGroupRuleName)
    guard (Self.answer(record).rules ?? []).contains(where: { $0.name == rule }) else { throw WAFError.notFound }
    let statistics = try await gate.statistics()
    let addresses =
      statistics.webACLs?.first { $0.id == record.arn }?.limited
      .first { $0.rule == rule && $0.groupRule == groupRule }?.addresses ?? []
    return .make {
      $0.managedKeysIPV4 = .make {
        $0.ipAddressVersion = "IPV4"
        $0.addresses = addresses.filter { !$0.contains(":") }.map { $0 + "/32" }
      }
      $0.managedKeysIPV6 = .make {
        $0.ipAddressVersion = "IPV6"
        $0.addresses = addresses.filter { $0.contains(":") }.map { $0 + "/128" }
      }
    }
  }

  // MARK: - Managed groups

  func listAvailableManagedRuleGroups(
    _ input: WAFv2.ListAvailableManagedRuleGroupsRequest, _ call: CallContext
  ) async throws -> WAFv2.ListAvailableManagedRuleGroupsResponse {
    try Self.requireRegional(input.scope)
    let (items, next) = try Self.page(
      ManagedRules.groups, limit: input.limit, marker: input.nextMarker, id: \.name)
    return .make {
      $0.managedRuleGroups = items.map { group in
        .make {
          $0.vendorName = "AWS"
          $0.name = group.name
          $0.description = group.description
          $0.versioningSupported = group.version != nil
        }
      }
      $0.nextMarker = next
    }
  }

  func listAvailableManagedRuleGroupVersions(
    _ input: WAFv2.ListAvailableManagedRuleGroupVersionsRequest, _ call: CallContext
  ) async throws -> WAFv2.ListAvailableManagedRuleGroupVersionsResponse {
    try Self.requireRegional(input.scope)
    guard let group = ManagedRules.group(vendor: input.vendorName, name: input.name) else {
      throw ManagedRules.missing(vendor: input.vendorName, name: input.name)
    }
    return .make {
      $0.versions = group.version.map { version in [.make { $0.name = version }] } ?? []
      $0.currentDefaultVersion = group.version
    }
  }

  func describeManagedRuleGroup(
    _ input: WAFv2.DescribeManagedRuleGroupRequest, _ call: CallContext
  ) async throws -> WAFv2.DescribeManagedRuleGroupResponse {
    try Self.requireRegional(input.scope)
    guard let group = ManagedRules.group(vendor: input.vendorName, name: input.name) else {
      throw ManagedRules.missing(vendor: input.vendorName, name: input.name)
    }
    guard input.versionName == nil || input.versionName == group.version else { throw WAFError.notFound }
    return .make {
      $0.versionName = group.version
      $0.capacity = group.capacity
      $0.labelNamespace = group.labelNamespace
      $0.rules = group.rules.map { rule in
        .make {
          $0.name = rule.name
          $0.action = .make { if rule.onlyCounts { $0.count = .init() } else { $0.block = .init() } }
        }
      }
      $0.availableLabels = group.rules.flatMap(\.labels).map { label in
        .make { $0.name = group.labelNamespace + label }
      }
    }
  }
}

extension WebACL.Rule {
  fileprivate var onlyCounts: Bool {
    if case .statement(_, .count) = kind { true } else { false }
  }
}
