// What a failed try to run a server means: the log's last words, read for a person. Pure but for the remedy, which looks
// at the machine.

import Supervisor

extension PostgresCluster {
  /// Why a cluster cannot be opened.
  public static func failure(_ error: any Error, folder: String) -> EngineFailure {
    PostgresFailure.of(error, parameters: [:], folder: folder) ?? EngineFailure(said: "\(error)", folder: folder)
  }
}

enum PostgresFailure {
  /// What an action's error says of the server; nil when it says nothing of it: another server was not there, or did
  /// not answer in time.
  /// - Parameters:
  ///   - parameters: those that a caller set.
  ///   - folder: where the data is.
  static func of(_ error: any Error, parameters: [String: String], folder: String) -> EngineFailure? {
    if let error = error as? SupervisorError {
      guard case .toolFailed(let id, let exit, let output) = error else { return EngineFailure(error, folder: folder) }
      let words = lastWords(output, pid: nil)
      return EngineFailure(said: words.isEmpty ? "\(id) failed (\(exit))" : words, folder: folder)
    }
    guard let error = error as? PostgresError else { return EngineFailure(said: "\(error)", folder: folder) }
    switch error {
    case .connection, .unavailable: return nil
    case .timedOut: return EngineFailure(.silent, error.description)
    case .notInstalled: return EngineFailure(.program, error.description)
    case .startFailed:
      if isAbout(error.description, parameters) { return EngineFailure(.parameters, error.description) }
      return EngineFailure(said: error.description, folder: folder)
    case .statement, .invalid, .record: return EngineFailure(said: error.description, folder: folder)
    }
  }

  /// Whether a caller's parameters are what PostgreSQL refuses: it names one of them, or its configuration as a whole.
  private static func isAbout(_ text: String, _ parameters: [String: String]) -> Bool {
    guard !parameters.isEmpty else { return false }
    let text = text.lowercased()
    let refusals = [
      "invalid value for parameter", "unrecognized configuration parameter", "contains errors",
      "outside the valid range", "insufficient parameter settings",
    ]
    return refusals.contains { text.contains($0) } || parameters.keys.contains { text.contains($0.lowercased()) }
  }

  /// The lines of a log that tell why its server ended, without the times before them.
  /// - Parameter pid: the server's process, when the log holds those of others; nil takes all.
  static func lastWords(_ log: String, pid: Int32?) -> String {
    let noise = [
      "starting PostgreSQL", "listening on", "database system is shut down", "database system was shut down",
      "redirecting log output",
    ]
    var words: [Substring] = []
    for line in log.split(separator: "\n") {
      // `2026-11-23 16:29:58.646 GMT [29771] FATAL:  …`, in initdb's output behind what it does.
      let parts = line.split(separator: "] ", maxSplits: 1)
      let number = parts.count == 2 ? parts[0].split(separator: "[").last ?? "" : ""
      let isPrefixed = parts.first?.contains(" [") == true && !number.isEmpty && number.allSatisfy(\.isNumber)
      if isPrefixed, let pid, number != "\(pid)" { continue }
      let text = isPrefixed ? parts[1] : line
      if noise.contains(where: { text.contains($0) }) { continue }
      words.append(text)
    }
    let telling = words.filter { word in
      ["FATAL:", "PANIC:", "ERROR:", "error:", "HINT:", "DETAIL:", "invalid", "could not"].contains {
        word.contains($0)
      }
    }
    return (telling.isEmpty ? words.suffix(3) : telling.suffix(4)).joined(separator: " ")
  }
}
