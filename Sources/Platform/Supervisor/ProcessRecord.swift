// The status file that a shim writes: who runs, and later how it ended.

import AWSCore

/// What a shim wrote down of its child.
public struct ProcessRecord: Sendable, Hashable {
  public var id: String
  public var boot: String
  public var shim: Int32
  public var shimStart: UInt64
  public var child: Int32
  /// Clock ticks since boot: with the pid it names one process for ever.
  public var childStart: UInt64
  public var startedAt: Timestamp
  public var logFile: String
  public var labels: [String: String]
  /// Whether the shim starts the child again when a signal ends it.
  public var respawns: Bool
  /// `nil` while it runs, or when nobody saw it end.
  public var exit: ProcessExit?

  /// Reads a status file's text; `nil` when it is not one (a machine that lost power may leave an empty file).
  init?(_ text: String) {
    var fields: [Substring: Substring] = [:]
    var labels: [String: String] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { continue }
      if parts[0] == "label" {
        let pair = parts[1].split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        if pair.count == 2 { labels[String(pair[0])] = String(pair[1]) }
      } else {
        fields[parts[0]] = parts[1]
      }
    }
    func numbers(_ key: Substring) -> [UInt64] { (fields[key] ?? "").split(separator: " ").compactMap { UInt64($0) } }
    let (shim, child) = (numbers("shim"), numbers("child"))
    guard fields["castle-shim"] == "1", let id = fields["id"], let boot = fields["boot"], shim.count == 2,
      child.count == 2, let started = numbers("started").first, let shimPID = Int32(exactly: shim[0]),
      let childPID = Int32(exactly: child[0])
    else { return nil }
    self.id = String(id)
    self.boot = String(boot)
    self.shim = shimPID
    self.shimStart = shim[1]
    self.child = childPID
    self.childStart = child[1]
    self.startedAt = Timestamp(milliseconds: Int64(clamping: started))
    self.logFile = String(fields["log"] ?? "")
    self.labels = labels
    respawns = fields["respawns"] == "1"
    let ended = numbers("ended").first.map { Timestamp(milliseconds: Int64(clamping: $0)) }
    if let code = numbers("code").first {
      exit = ProcessExit(.code(Int32(clamping: code)), endedAt: ended)
    } else if let signal = numbers("signal").first {
      exit = ProcessExit(.signal(Int32(clamping: signal), coreDumped: numbers("signal").last == 1), endedAt: ended)
    }
  }

  /// Whether the child is still this boot's running process, or its shim is there to start it again.
  var isRunning: Bool {
    guard exit == nil, boot == ProcFS.bootID else { return false }
    return ProcFS.isRunning(child, startTime: childStart)
      || (respawns && ProcFS.isRunning(shim, startTime: shimStart))
  }

  static func read(_ path: String) -> ProcessRecord? {
    guard let bytes = try? PrivateFiles.read(path) else { return nil }
    return ProcessRecord(String(decoding: bytes, as: UTF8.self))
  }
}
