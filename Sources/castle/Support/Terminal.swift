// What a person sees: colour where it is wanted, progress on anything that takes longer than a second.

import Foundation

enum Terminal {
  /// Standard output is a terminal that wants colour (https://no-color.org).
  static let hasColour: Bool = {
    let environment = ProcessInfo.processInfo.environment
    return environment["NO_COLOR"] == nil && environment["TERM"] != "dumb" && isatty(STDOUT_FILENO) == 1
  }()
  static let progressIsLive = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"

  enum Style: String {
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case blue = "34"
    case cyan = "36"
  }

  static func styled(_ text: String, _ style: Style) -> String {
    hasColour ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
  }

  /// A line on standard error.
  static func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

  /// Columns as wide as their widest cell.
  static func table(_ rows: [[String]], indent: String = "  ") -> String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
    return rows.map { row in
      var line = indent
      for (column, cell) in row.enumerated() {
        line += column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count + 2)
      }
      return line
    }.joined(separator: "\n")
  }
}

/// One line that says what is going on, rewritten in place on a terminal; plain lines elsewhere.
struct Progress {
  private var last = ""
  private let start = ContinuousClock.now

  /// Seconds since the start, one decimal.
  var elapsed: String {
    let (seconds, attoseconds) = (ContinuousClock.now - start).components
    return "\(seconds).\(attoseconds / 100_000_000_000_000_000) s"
  }

  mutating func show(_ text: String) {
    guard text != last else {
      if Terminal.progressIsLive { draw(text) }
      return
    }
    last = text
    if Terminal.progressIsLive { draw(text) } else { Terminal.note(text) }
  }

  private func draw(_ text: String) {
    FileHandle.standardError.write(Data("\r\u{1b}[K\(text) \(Terminal.styled(elapsed, .dim))".utf8))
  }

  /// A line that stays.
  mutating func keep(_ text: String) {
    clear()
    Terminal.note(text)
    last = ""
  }

  func clear() {
    if Terminal.progressIsLive { FileHandle.standardError.write(Data("\r\u{1b}[K".utf8)) }
  }
}
