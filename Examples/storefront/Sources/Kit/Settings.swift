// What a program of the storefront reads from its environment, and who it is.
import FoundationEssentials
import Hummingbird

/// A setting that is missing or that cannot be understood; its text tells the person who starts the program what to do.
public struct SettingError: Error, CustomStringConvertible, Equatable {
  /// What is wrong, in one sentence.
  public let description: String

  /// An error that says `description`.
  public init(_ description: String) {
    self.description = description
  }
}

/// The environment of one task. An empty variable counts as one that is not there.
public struct Settings: Sendable {
  private let values: [String: String]

  /// Settings from a dictionary, for tests.
  public init(_ values: [String: String]) {
    self.values = values
  }

  /// Settings from this process's environment.
  public static var ofThisProcess: Settings { Settings(ProcessInfo.processInfo.environment) }

  /// The value of a variable, or nil when it is absent or empty.
  public subscript(name: String) -> String? {
    guard let value = values[name], !value.isEmpty else { return nil }
    return value
  }

  /// The value of a variable that the program cannot do without.
  /// - Throws: ``SettingError`` naming the variable and what it is for.
  public func require(_ name: String, for purpose: String) throws -> String {
    guard let value = self[name] else { throw SettingError("\(name) is not set; it must hold \(purpose)") }
    return value
  }

  /// A number, or `standard` when the variable is absent.
  /// - Throws: ``SettingError`` when it is not a number in `range`.
  public func number(_ name: String, or standard: Int, in range: ClosedRange<Int>) throws -> Int {
    guard let text = self[name] else { return standard }
    guard let number = Int(text), range.contains(number) else {
      throw SettingError("\(name) is '\(text)'; it must be a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// A switch: `true` or `false`, or `standard` when the variable is absent.
  /// - Throws: ``SettingError`` when it is anything else.
  public func flag(_ name: String, or standard: Bool) throws -> Bool {
    switch self[name]?.lowercased() {
    case nil: return standard
    case "true", "1", "yes": return true
    case "false", "0", "no": return false
    case let text?: throw SettingError("\(name) is '\(text)'; it must be true or false")
    }
  }

  /// Where to listen: HOST (all addresses when absent) and PORT.
  public func address(port standard: Int) throws -> BindAddress {
    .hostname(self["HOST"] ?? "0.0.0.0", port: try number("PORT", or: standard, in: 0...65535))
  }

  /// The name of this task: CASTLE_TASK_ID, else the last part of ECS's metadata address, else host and process.
  ///
  /// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html
  public var taskID: String {
    if let id = self["CASTLE_TASK_ID"] { return id }
    if let last = self["ECS_CONTAINER_METADATA_URI_V4"]?.split(separator: "/").last { return String(last) }
    let process = ProcessInfo.processInfo
    return "\(process.hostName):\(process.processIdentifier)"
  }
}
