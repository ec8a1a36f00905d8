// Regex pattern sets: create, get, update, delete, list.

import AWSCore
import AWSWire
import ServiceKit
import Store
import WAFv2Model

extension WAFv2Service {
  func createRegexPatternSet(
    _ input: WAFv2.CreateRegexPatternSetRequest, _ call: CallContext
  ) async throws -> WAFv2.CreateRegexPatternSetResponse {
    try Self.requireRegional(input.scope)
    let id = call.ids.uuid()
    let record = PatternSetRecord(
      id: id, name: input.name, arn: Self.arn("regexpatternset", input.name, id, call), lockToken: call.ids.uuid(),
      patterns: try Self.patterns(input.regularExpressionList), description: input.description,
      tags: try Tags.read(input.tags))
    try await store.write { tx in
      guard try tx.find(PatternSetRecord.self, call.scope, index: "name", record.name).isEmpty else {
        throw WAFError.duplicate
      }
      guard try tx.count(PatternSetRecord.self, call.scope) < WAFLimits.patternSetsMax else { throw WAFError.limit }
      try tx.put(record, call.scope)
    }
    return .make { $0.summary = Self.summary(record) }
  }

  /// - Throws: `WAFInvalidParameterException` for what is no pattern, `WAFLimitsExceededException` for too many.
  private static func patterns(_ list: [WAFv2.Regex]) throws -> [String] {
    guard list.count <= WAFLimits.patternsPerSetMax else { throw WAFError.limit }
    let patterns = list.compactMap(\.regexString)
    for pattern in patterns { try RuleTranslator.check(pattern: pattern) }
    return patterns
  }

  func getRegexPatternSet(
    _ input: WAFv2.GetRegexPatternSetRequest, _ call: CallContext
  ) async throws -> WAFv2.GetRegexPatternSetResponse {
    try Self.requireRegional(input.scope)
    guard let record = try await store.get(PatternSetRecord.self, call.scope, input.id), record.name == input.name
    else {
      throw WAFError.notFound
    }
    return .make {
      $0.regexPatternSet = .make {
        $0.id = record.id
        $0.name = record.name
        $0.arn = record.arn
        $0.description = record.description
        $0.regularExpressionList = record.patterns.map { pattern in .make { $0.regexString = pattern } }
      }
      $0.lockToken = record.lockToken
    }
  }

  func updateRegexPatternSet(
    _ input: WAFv2.UpdateRegexPatternSetRequest, _ call: CallContext
  ) async throws -> WAFv2.UpdateRegexPatternSetResponse {
    try Self.requireRegional(input.scope)
    let patterns = try Self.patterns(input.regularExpressionList)
    let next = call.ids.uuid()
    try await store.write { tx in
      var record = try Self.patternSet(input.id, input.name, input.lockToken, tx, call.scope)
      record.patterns = patterns
      record.description = input.description
      record.lockToken = next
      try tx.put(record, call.scope)
    }
    return .make { $0.nextLockToken = next }
  }

  func deleteRegexPatternSet(
    _ input: WAFv2.DeleteRegexPatternSetRequest, _ call: CallContext
  ) async throws -> WAFv2.DeleteRegexPatternSetResponse {
    try Self.requireRegional(input.scope)
    try await store.write { tx in
      let record = try Self.patternSet(input.id, input.name, input.lockToken, tx, call.scope)
      guard try !Self.isReferenced(\.patternSets, record.arn, tx, call.scope) else { throw WAFError.associated }
      try tx.delete(PatternSetRecord.self, call.scope, record.id)
    }
    return .init()
  }

  private static func patternSet(
    _ id: String, _ name: String, _ token: String, _ tx: Transaction, _ scope: Scope
  ) throws -> PatternSetRecord {
    guard let record = try tx.get(PatternSetRecord.self, scope, id), record.name == name else {
      throw WAFError.notFound
    }
    guard record.lockToken == token else { throw WAFError.staleToken }
    return record
  }

  func listRegexPatternSets(
    _ input: WAFv2.ListRegexPatternSetsRequest, _ call: CallContext
  ) async throws -> WAFv2.ListRegexPatternSetsResponse {
    try Self.requireRegional(input.scope)
    let all = try await store.read { try $0.list(PatternSetRecord.self, call.scope) }
    let (items, next) = try Self.page(all, limit: input.limit, marker: input.nextMarker, id: \.id)
    return .make {
      $0.regexPatternSets = items.map(Self.summary)
      $0.nextMarker = next
    }
  }

  private static func summary(_ record: PatternSetRecord) -> WAFv2.RegexPatternSetSummary {
    .make {
      $0.id = record.id
      $0.name = record.name
      $0.arn = record.arn
      $0.lockToken = record.lockToken
      $0.description = record.description ?? ""
    }
  }
}
