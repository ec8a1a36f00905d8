// What did not come up, why, and what a person can do about it.

import AWSCore
import Supervisor

/// The end of a `castle up` that did not get through.
struct UpFailure: Error, CustomStringConvertible {
  /// A resource of the stack, or a server.
  struct Part: Sendable {
    var name: String
    /// `AWS::RDS::DBInstance`, `instance`.
    var type: String
    var reason: String
    var remedy: String?

    /// - Parameter text: the service's words: the reason, and behind it what to do.
    init(name: String, type: String, text: String) {
      self.name = name
      self.type = type
      let mark = text.firstRange(of: EngineFailure.remedyMark)
      // A stack puts its error's code behind all that was said.
      func plain(_ text: Substring) -> String { String(text.replacing(" (NotStabilized)", with: "")) }
      reason = plain(mark.map { text[..<$0.lowerBound] } ?? text[...])
      remedy = mark.map { plain(text[$0.upperBound...]) }
    }

    var isCancelled: Bool { reason.hasPrefix("Resource ") && reason.hasSuffix(" cancelled") }
  }

  var what: String
  var parts: [Part]
  /// How it goes on.
  var next: String
  /// What castle doctor finds wrong with the machine.
  var machine: SharedMemoryFault? = SharedMemory.check()

  var description: String {
    var lines = [what]
    for part in parts {
      lines.append("\(part.name) (\(part.type)) failed: \(part.reason)")
      if let remedy = part.remedy { lines.append("  what to do: \(remedy)") }
    }
    if let machine, !parts.contains(where: { $0.remedy == machine.remedy }) {
      lines.append("castle doctor: \(machine.problem): \(machine.remedy)")
    }
    return (lines + [next]).joined(separator: "\n")
  }

  func json(_ action: String) -> JSONValue {
    let parts = parts.map { part -> JSONValue in
      [
        "name": .string(part.name), "type": .string(part.type), "reason": .string(part.reason),
        "remedy": part.remedy.map { .string($0) } ?? .null,
      ]
    }
    return ["action": .string(action), "error": .string(what), "failed": .array(parts), "next": .string(next)]
  }
}
