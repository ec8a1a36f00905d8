// What can go wrong around child processes, in words for a person.

import Glibc

/// Why a process could not be started or reached.
public enum SupervisorError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The program, its user, directory, log or limits could not be had. `stage` names which (`exec`, `user`, `log` …).
  case startFailed(id: String, stage: String, errno: Int32)
  /// A process of this id runs already.
  case alreadyRunning(id: String, pid: Int32)
  /// The specification cannot be run: what is wrong with it.
  case invalid(id: String, String)
  /// castle-shim is not where it was looked for.
  case shimMissing(String)
  /// A file or directory could not be read or written.
  case file(path: String, errno: Int32)
  /// A helper program failed; the end of its output.
  case toolFailed(id: String, exit: ProcessExit, output: String)
  /// A helper program did not end in time and was killed.
  case toolTimedOut(id: String, seconds: Double, output: String)

  public var description: String {
    switch self {
    case .startFailed(let id, let stage, let code): "\(id) could not be started: \(stage): \(errorText(code))"
    case .alreadyRunning(let id, let pid): "\(id) runs already, as process \(pid)"
    case .invalid(let id, let why): "\(id) cannot be run: \(why)"
    case .shimMissing(let path): "castle-shim was not found at \(path): it belongs beside the castle program"
    case .file(let path, let code): "\(path): \(errorText(code))"
    case .toolFailed(let id, let exit, let output): "\(id) failed (\(exit)): \(output)"
    case .toolTimedOut(let id, let seconds, let output): "\(id) took longer than \(seconds) s: \(output)"
    }
  }
}

/// The system's text for an error number.
public func errorText(_ code: Int32) -> String {
  var buffer = [CChar](repeating: 0, count: 128)
  guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
  return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
