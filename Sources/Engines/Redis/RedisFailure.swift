// What a failed try to run a node means: the log's last words, read for a person. Pure but for the remedy, which looks at
// the machine.

import Supervisor

extension RedisGroup {
  /// Why a group cannot be opened.
  public static func failure(_ error: any Error, folder: String) -> EngineFailure {
    RedisFailure.of(error, parameters: [:], folder: folder) ?? EngineFailure(said: "\(error)", folder: folder)
  }
}

enum RedisFailure {
  /// What an action's error says of the node; nil when it says nothing of it.
  /// - Parameters:
  ///   - parameters: those that a caller set.
  ///   - folder: where the data is.
  static func of(_ error: any Error, parameters: [String: String], folder: String) -> EngineFailure? {
    if let error = error as? SupervisorError { return EngineFailure(error, folder: folder) }
    guard let error = error as? RedisError else { return EngineFailure(said: "\(error)", folder: folder) }
    switch error {
    case .connection, .unavailable: return nil
    case .timedOut: return EngineFailure(.silent, error.description)
    case .notInstalled: return EngineFailure(.program, error.description)
    case .startFailed(_, let log):
      let isConfiguration = log.contains("CONFIG FILE ERROR")
      if isConfiguration, parameters.keys.contains(where: { log.contains(">>> '\($0) ") }) {
        return EngineFailure(.parameters, error.description)
      }
      return EngineFailure(said: error.description, folder: folder)
    case .reply, .invalid: return EngineFailure(said: error.description, folder: folder)
    }
  }

  /// The lines of a log that tell why its server ended, without the times before them.
  /// - Parameter pid: the server's process.
  static func lastWords(_ log: String, pid: Int32) -> String {
    let lines = log.split(separator: "\n")
    // What is wrong with the configuration is said before there is a log: no times, to the end.
    if let start = lines.lastIndex(where: { $0.hasPrefix("*** FATAL CONFIG") }),
      !lines[start...].contains(where: { isTimed($0) })
    {
      return lines[start...].map { $0.replacing("*** ", with: "").replacing(" ***", with: ":") }.joined(separator: " ")
    }
    var words: [Substring] = []
    var isOurs = true
    for line in lines {
      // `29791:M 23 Nov 2026 16:29:58.832 # Invalid AOF manifest file format`
      guard isTimed(line) else {
        if isOurs { words.append(line) }
        continue
      }
      isOurs = line.hasPrefix("\(pid):")
      // `#` marks warnings and worse, `*` notices.
      guard isOurs, let mark = line.firstRange(of: " # ") else { continue }
      let text = line[mark.upperBound...]
      let isNoise = ["WARNING", "Redis is starting", "Redis version=", "Configuration loaded", "Server initialized"]
        .contains { text.contains($0) }
      if !isNoise, !text.isEmpty { words.append(text) }
    }
    return words.suffix(5).joined(separator: " ")
  }

  private static func isTimed(_ line: Substring) -> Bool {
    guard let colon = line.firstIndex(of: ":"), colon > line.startIndex else { return false }
    return line[..<colon].allSatisfy(\.isNumber)
  }
}
