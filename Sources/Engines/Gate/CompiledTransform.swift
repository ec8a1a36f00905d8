// Rewriting of a request's host or URL by a rule.
import ByteRegex
import GateProtocol
import HTTPWire

/// A transform, ready to be applied.
struct CompiledTransform {
  enum Outcome: Equatable {
    /// The pattern is not in the text, which stays.
    case noMatch
    case rewritten([UInt8])
    /// The result is no host or no URL; the reason as access logs name it.
    case failed(String)
  }

  private enum Piece {
    case text([UInt8])
    case group(Int)
  }

  let kind: GateSnapshot.Transform.Kind
  private let regex: ByteRegex
  private let pieces: [Piece]

  /// nil for an expression that does not compile; the check of snapshots lets none through.
  init?(_ transform: GateSnapshot.Transform) {
    kind = transform.kind
    guard let regex = try? ByteRegex(transform.regex, ignoresCase: transform.kind == .host) else { return nil }
    self.regex = regex
    pieces = Self.pieces(Array(transform.replacement.utf8))
  }

  /// `$1`…`$9` are groups, `$$` is a dollar.
  private static func pieces(_ text: [UInt8]) -> [Piece] {
    var result: [Piece] = []
    var plain: [UInt8] = []
    var index = 0
    while index < text.count {
      if text[index] == UInt8(ascii: "$"), index + 1 < text.count {
        let next = text[index + 1]
        if next == UInt8(ascii: "$") || next &- 0x30 <= 9 {
          index += 2
          if next == UInt8(ascii: "$") {
            plain.append(next)
          } else {
            result.append(.text(plain))
            plain = []
            result.append(.group(Int(next - 0x30)))
          }
          continue
        }
      }
      plain.append(text[index])
      index += 1
    }
    return result + [.text(plain)]
  }

  /// Replaces the first match in the text.
  func apply(_ text: UnsafeBufferPointer<UInt8>) -> Outcome {
    guard let match = regex.firstMatch(in: text), let whole = match[0] else { return .noMatch }
    var result = Array(text[..<whole.lowerBound])
    for piece in pieces {
      switch piece {
      case .text(let bytes): result += bytes
      case .group(let number):
        if number < match.count, let range = match[number] { result += text[range] }
      }
    }
    result += text[whole.upperBound...]
    return Self.isValid(result, kind) ? .rewritten(result) : .failed(Self.failure(result, kind))
  }

  private static func failure(_ result: [UInt8], _ kind: GateSnapshot.Transform.Kind) -> String {
    if result.count > HeadLimits.lineMax / 2 { return "TransformBufferTooSmall" }
    return kind == .url ? "TransformInvalidPath" : "TransformInvalidHost"
  }

  private static func isValid(_ result: [UInt8], _ kind: GateSnapshot.Transform.Kind) -> Bool {
    guard !result.isEmpty, result.count <= HeadLimits.lineMax / 2 else { return false }
    switch kind {
    case .url: return result[0] == UInt8(ascii: "/") && result.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x23 }
    case .host: return result.allSatisfy { Token.isPlain($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") }
    }
  }
}
