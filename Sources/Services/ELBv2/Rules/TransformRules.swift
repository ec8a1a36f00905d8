// Rewrites of requests: from the API's shape to the record, and back.

import AWSCore
import AWSWire
import ELBv2Model

enum TransformRules {
  /// - Throws: `ValidationError`.
  static func read(_ transforms: [ELBv2.RuleTransform]) throws -> [TransformRecord] {
    let records = try transforms.map(read)
    guard Set(records.map(\.type)).count == records.count else {
      throw ELBv2Error.validation("A rule can have only one transform of each type")
    }
    return records
  }

  private static func read(_ transform: ELBv2.RuleTransform) throws -> TransformRecord {
    let rewrites: [ELBv2.RewriteConfig]?
    switch transform.type {
    case "url-rewrite": rewrites = transform.urlRewriteConfig?.rewrites
    case "host-header-rewrite": rewrites = transform.hostHeaderRewriteConfig?.rewrites
    default:
      throw ELBv2Error.validation(
        "Transform type '\(transform.type)' must be one of 'host-header-rewrite, url-rewrite'")
    }
    guard let rewrites, rewrites.count == 1 else {
      throw ELBv2Error.validation("A transform of type '\(transform.type)' must have exactly one rewrite")
    }
    let rewrite = rewrites[0]
    guard (1...1024).contains(rewrite.regex.utf8.count), rewrite.replace.utf8.count <= 1024 else {
      throw ELBv2Error.validation("A rewrite's regular expression and replacement have at most '1024' characters")
    }
    try Expressions.check(rewrite.regex)
    return TransformRecord(type: transform.type, regex: rewrite.regex, replacement: rewrite.replace)
  }

  static func answer(_ record: TransformRecord) -> ELBv2.RuleTransform {
    let rewrites = [
      ELBv2.RewriteConfig.make {
        $0.regex = record.regex
        $0.replace = record.replacement
      }
    ]
    return .make {
      $0.type = record.type
      if record.type == "url-rewrite" {
        $0.urlRewriteConfig = .make { $0.rewrites = rewrites }
      } else {
        $0.hostHeaderRewriteConfig = .make { $0.rewrites = rewrites }
      }
    }
  }
}
