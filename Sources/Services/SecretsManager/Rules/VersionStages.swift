// Staging labels: each is on one version at most, and moving AWSCURRENT leaves AWSPREVIOUS behind.

import AWSCore

/// Rules about staging labels.
enum VersionStages {
  static let current = "AWSCURRENT"
  static let previous = "AWSPREVIOUS"
  static let pending = "AWSPENDING"

  /// The version that has a label.
  static func holder(of stage: String, in versions: [SecretVersion]) -> Int? {
    versions.firstIndex { $0.stages.contains(stage) }
  }

  /// Puts labels on a version, taking them from whichever had them. Where nothing is current yet, this version is.
  static func attach(_ stages: [String], to id: String, in versions: inout [SecretVersion]) {
    var wanted = stages
    if holder(of: current, in: versions) == nil, !wanted.contains(current) { wanted.append(current) }
    for stage in wanted { give(stage, to: id, in: &versions) }
  }

  /// UpdateSecretVersionStage.
  /// - Throws: `InvalidParameterException`, `ResourceNotFoundException`, `LimitExceededException`.
  static func move(
    _ stage: String, from source: String?, to target: String?, in versions: inout [SecretVersion]
  ) throws {
    guard source != nil || target != nil else {
      throw SecretsError.invalidParameter(
        "You must specify at least one of RemoveFromVersionId and MoveToVersionId.")
    }
    for id in [source, target].compactMap({ $0 }) where !versions.contains(where: { $0.id == id }) {
      throw SecretsError.versionNotFound
    }
    let holderID = holder(of: stage, in: versions).map { versions[$0].id }
    if let source, holderID != source {
      throw SecretsError.invalidParameter(
        "The parameter RemoveFromVersionId can't be \(source). Staging label \(stage) is not attached to that version.")
    }
    guard let target else {
      guard stage != current else {
        throw SecretsError.invalidParameter("You can't remove the staging label AWSCURRENT, only move it.")
      }
      take(stage, in: &versions)
      return
    }
    if let holderID, holderID != target, source == nil {
      throw SecretsError.invalidParameter(
        "The parameter RemoveFromVersionId can't be empty. Staging label \(stage) is currently attached to version "
          + "\(holderID), so you must explicitly reference that version in RemoveFromVersionId.")
    }
    give(stage, to: target, in: &versions)
    guard versions.allSatisfy({ $0.stages.count <= SecretsLimits.stagesPerVersionMax }) else {
      throw SecretsError.limitExceeded(
        "A version can have at most \(SecretsLimits.stagesPerVersionMax) staging labels.")
    }
  }

  /// Takes away the oldest deprecated versions beyond the quota.
  /// - Returns: their ids.
  static func prune(_ versions: inout [SecretVersion], now: Timestamp) -> [String] {
    var removed: [String] = []
    while versions.count > SecretsLimits.versionsMax {
      // AWS keeps what is younger than a day.
      guard let at = versions.firstIndex(where: { $0.stages.isEmpty && $0.created.adding(days: 1) <= now }) else {
        break
      }
      removed.append(versions.remove(at: at).id)
    }
    return removed
  }

  private static func give(_ stage: String, to id: String, in versions: inout [SecretVersion]) {
    let old = holder(of: stage, in: versions)
    if let old, versions[old].id == id { return }
    take(stage, in: &versions)
    guard let new = versions.firstIndex(where: { $0.id == id }) else { return }
    versions[new].stages.append(stage)
    if stage == current, let old {
      take(previous, in: &versions)
      versions[old].stages.append(previous)
    }
  }

  private static func take(_ stage: String, in versions: inout [SecretVersion]) {
    for i in versions.indices { versions[i].stages.removeAll { $0 == stage } }
  }
}
