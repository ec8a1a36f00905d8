// The tokens of GetLogEvents: a direction and a place.

import AWSCore
import LogStore

/// `f/PLACE` goes on towards newer events, `b/PLACE` towards older ones. At an end the same token comes back.
enum ReadToken {
  static func forward(_ position: LogPosition) -> String { "f/\(position.text)" }
  static func backward(_ position: LogPosition) -> String { "b/\(position.text)" }

  /// - Throws: `InvalidParameterException`.
  static func start(_ token: String) throws -> LogStart {
    guard let position = LogPosition(text: String(token.dropFirst(2))) else { throw LogsError.invalidToken }
    if token.hasPrefix("f/") { return .after(position) }
    if token.hasPrefix("b/") { return .before(position) }
    throw LogsError.invalidToken
  }

  /// The tokens of a page. An empty page gives back the token it was asked with, and the other one leads back to the
  /// event that was told last.
  static func pair(_ page: LogPage, _ start: LogStart) -> (forward: String, backward: String) {
    guard page.events.isEmpty else { return (forward(page.forward), backward(page.backward)) }
    switch start {
    case .after(let place):
      return (forward(place), backward(LogPosition(time: place.time, id: place.id &+ 1)))
    case .before(let place):
      return (forward(LogPosition(time: place.time, id: place.id &- 1)), backward(place))
    case .head, .tail: return (forward(page.forward), backward(page.backward))
    }
  }
}
