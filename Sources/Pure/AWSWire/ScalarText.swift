// Scalars as text: what forms, XML, headers, paths and query strings hold.

import AWSCore

enum ScalarText {
  /// Nil when the text is not of the shape's type, or the shape is no scalar.
  static func parse(_ text: String, _ shape: Shape) -> WireValue? {
    switch shape.kind {
    case .string: return .string(text)
    case .integer: return Int(trimmed(text)).map(WireValue.integer)
    case .double:
      switch trimmed(text) {
      case "NaN": return .double(.nan)
      case "Infinity": return .double(.infinity)
      case "-Infinity": return .double(-.infinity)
      case let number: return Double(number).map(WireValue.double)
      }
    case .boolean:
      switch trimmed(text) {
      case "true", "True", "TRUE": return .boolean(true)
      case "false", "False", "FALSE": return .boolean(false)
      default: return nil
      }
    case .blob: return Base64.decodeLenient(text).map(WireValue.blob)
    case .timestamp: return timestamp(trimmed(text)).map(WireValue.timestamp)
    case .structure, .list, .map: return nil
    }
  }

  /// Any of the formats that AWS's clients write, whichever the model asks for.
  static func timestamp(_ text: String) -> Timestamp? {
    if let value = Timestamp(iso8601: text) { return value }
    if let value = Double(text), value.isFinite { return Timestamp(seconds: value) }
    return Timestamp(httpDate: text)
  }

  private static func trimmed(_ text: String) -> String {
    guard let first = text.utf8.first, let last = text.utf8.last, first <= 32 || last <= 32 else { return text }
    var part = text[...]
    while let first = part.utf8.first, first <= 32 { part = part.dropFirst() }
    while let last = part.utf8.last, last <= 32 { part = part.dropLast() }
    return String(part)
  }

  /// - Parameter format: how a timestamp is written.
  static func write(_ value: WireValue, format: TimestampFormat) -> String {
    switch value {
    case .string(let value): return value
    case .integer(let value): return String(value)
    case .double(let value): return double(value)
    case .boolean(let value): return value ? "true" : "false"
    case .blob(let value): return Base64.encode(value)
    case .timestamp(let value): return timestamp(value, format)
    case .list, .map, .structure: return ""
    }
  }

  static func double(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
    return "\(value)"
  }

  static func timestamp(_ value: Timestamp, _ format: TimestampFormat) -> String {
    switch format {
    case .iso8601: return value.iso8601Milliseconds
    case .rfc822: return value.httpDate
    case .unixTimestamp:
      return value.milliseconds % 1000 == 0 ? String(value.milliseconds / 1000) : "\(value.seconds)"
    }
  }
}
