// ListAttacks, DescribeAttack, DescribeAttackStatistics: what the Gate recognised on its load balancers.

import AWSCore
import AWSWire
import ServiceKit
import ShieldModel
import Store

extension ShieldService {
  func listAttacks(_ input: Shield.ListAttacksRequest, _ call: CallContext) async throws -> Shield.ListAttacksResponse {
    let all = try await store.read { try $0.list(AttackRecord.self, call.globalScope) }
    let kept = all.filter { record in
      (input.resourceArns.map { $0.isEmpty || $0.contains(record.resource) || $0.contains(record.loadBalancer ?? "") }
        ?? true)
        && Self.contains(input.startTime, record.started) && Self.contains(input.endTime, record.ended)
    }
    let sorted = kept.sorted { ($1.started, $0.id) < ($0.started, $1.id) }
    let (items, next) = try Self.page(sorted, token: input.nextToken, size: input.maxResults) { $0.id }
    return .make {
      $0.attackSummaries = items.map { record in
        .make {
          $0.attackId = record.id
          $0.resourceArn = record.resource
          $0.startTime = record.started
          $0.endTime = record.ended
          $0.attackVectors = record.vectors.map { vector in .make { $0.vectorType = vector.name } }
        }
      }
      $0.nextToken = next
    }
  }

  /// Whether a time lies in a range; one that is not over lies in none that ends.
  private static func contains(_ range: Shield.TimeRange?, _ time: Timestamp?) -> Bool {
    guard let range else { return true }
    guard let time else { return range.toExclusive == nil }
    return time >= range.fromInclusive ?? time && (range.toExclusive.map { time < $0 } ?? true)
  }

  func describeAttack(
    _ input: Shield.DescribeAttackRequest, _ call: CallContext
  ) async throws -> Shield.DescribeAttackResponse {
    guard let record = try await store.get(AttackRecord.self, call.globalScope, input.attackId) else {
      throw ShieldError.noAttack
    }
    let counters: [Shield.SummarizedCounter] = record.vectors.map(Self.counter)
    return .make {
      $0.attack = .make {
        $0.attackId = record.id
        $0.resourceArn = record.resource
        $0.startTime = record.started
        $0.endTime = record.ended
        $0.attackCounters = counters
        $0.subResources = [
          .make {
            $0.type = "IP"
            $0.attackVectors = record.vectors.map { vector in
              .make {
                $0.vectorType = vector.name
                $0.vectorCounters = [Self.counter(vector)]
              }
            }
            $0.counters = counters
          }
        ]
        $0.attackProperties = Self.properties(record)
        $0.mitigations = Self.mitigations(record).map { name in .make { $0.mitigationName = name } }
      }
    }
  }

  private static func counter(_ vector: AttackRecord.Vector) -> Shield.SummarizedCounter {
    .make {
      $0.name = vector.counter
      $0.max = vector.max
      $0.average = vector.average
      $0.sum = vector.sum
      $0.n = vector.samples
      $0.unit = vector.counter.uppercased()
    }
  }

  private static func properties(_ record: AttackRecord) -> [Shield.AttackProperty] {
    guard !record.sources.isEmpty else { return [] }
    return [
      .make {
        $0.attackLayer = record.isNetwork ? "NETWORK" : "APPLICATION"
        $0.attackPropertyIdentifier = "SOURCE_IP_ADDRESS"
        $0.topContributors = record.sources.map { source in
          .make {
            $0.name = source.name
            $0.value = source.count
          }
        }
        $0.unit = record.isNetwork ? "PACKETS" : "REQUESTS"
        $0.total = record.offered
      }
    ]
  }

  /// What the Gate did, in words of its own: AWS's names for its mitigations are not published.
  private static func mitigations(_ record: AttackRecord) -> [String] {
    guard record.isMitigated else { return [] }
    var names = ["Rate limits for sources without history"]
    if record.heldSources > 0 { names.append("Refusal of \(record.heldSources) sources") }
    if record.vectors.contains(where: { $0.name == "SLOWLORIS" }) { names.append("Short times for requests") }
    return names
  }

  func describeAttackStatistics(
    _ input: Shield.DescribeAttackStatisticsRequest, _ call: CallContext
  ) async throws -> Shield.DescribeAttackStatisticsResponse {
    // AWS's range is whole days: from a year ago to the midnight that was last.
    let day = 86_400.0
    let end = Timestamp(seconds: (call.now.seconds / day).rounded(.up) * day)
    let start = end.adding(seconds: -Double(ShieldLimits.attackMemorySeconds))
    let all = try await store.read { try $0.list(AttackRecord.self, call.globalScope) }
    let recent = all.filter { $0.started >= start && $0.started < end }
    let floods = recent.filter { record in record.vectors.contains { $0.name == "REQUEST_FLOOD" } }
    var items: [Shield.AttackStatisticsDataItem] = []
    if !floods.isEmpty {
      let highest = floods.flatMap(\.vectors).filter { $0.name == "REQUEST_FLOOD" }.map(\.max).max() ?? 0
      items.append(
        .make {
          $0.attackCount = floods.count
          $0.attackVolume = .make { $0.requestsPerSecond = .make { $0.max = highest } }
        })
    }
    // Without a volume that AWS has a unit for.
    if recent.count > floods.count || items.isEmpty {
      items.append(.make { $0.attackCount = recent.count - floods.count })
    }
    let found = items
    return .make {
      $0.timeRange = .make {
        $0.fromInclusive = start
        $0.toExclusive = end
      }
      $0.dataItems = found
    }
  }
}
