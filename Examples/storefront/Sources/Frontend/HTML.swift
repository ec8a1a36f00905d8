// Markup, made by string interpolation that escapes: what is put into a literal as a text comes out as that text on the
// page, never as markup. There is no way to turn a text into markup.

/// A piece of a page.
struct HTML: Sendable, Equatable, ExpressibleByStringInterpolation, CustomStringConvertible {
  private(set) var markup: String

  /// Markup from the source code; only a literal can come here.
  init(stringLiteral value: StaticString) {
    markup = value.description
  }

  /// See `ExpressibleByStringInterpolation`.
  init(stringInterpolation: Interpolation) {
    markup = stringInterpolation.markup
  }

  private init(markup: String) {
    self.markup = markup
  }

  /// Pieces one after the other.
  init(_ pieces: [HTML]) {
    markup = pieces.map(\.markup).joined()
  }

  var description: String { markup }

  static func + (left: HTML, right: HTML) -> HTML { HTML(markup: left.markup + right.markup) }

  /// Text as it must stand in an element or in a quoted attribute.
  static func escaped(_ text: String) -> String {
    var result = ""
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// Collects literals as they are and values escaped.
  struct Interpolation: StringInterpolationProtocol {
    typealias StringLiteralType = StaticString
    fileprivate var markup = ""

    init(literalCapacity: Int, interpolationCount: Int) {
      markup.reserveCapacity(literalCapacity + interpolationCount * 16)
    }

    mutating func appendLiteral(_ literal: StaticString) {
      markup += literal.description
    }

    /// A text: escaped.
    mutating func appendInterpolation(_ text: String) {
      markup += HTML.escaped(text)
    }

    /// A number.
    mutating func appendInterpolation(_ number: Int) {
      markup += String(number)
    }

    /// Markup: as it is.
    mutating func appendInterpolation(_ piece: HTML) {
      markup += piece.markup
    }

    /// Markup, or nothing.
    mutating func appendInterpolation(_ piece: HTML?) {
      markup += piece?.markup ?? ""
    }

    /// Pieces one after the other.
    mutating func appendInterpolation(_ pieces: [HTML]) {
      for piece in pieces { markup += piece.markup }
    }
  }
}
