// Which processes belong to a castle, found without asking it.

import Foundation
import Glibc

/// One process for ever: its number and when it started.
public struct ProcessMark: Sendable, Hashable {
  public var pid: Int32
  /// Clock ticks since boot.
  public var start: UInt64
  public var name = ""

  public static func == (a: ProcessMark, b: ProcessMark) -> Bool { a.pid == b.pid && a.start == b.start }
  public func hash(into hasher: inout Hasher) {
    hasher.combine(pid)
    hasher.combine(start)
  }

  init(pid: Int32, start: UInt64, name: String = "") {
    self.pid = pid
    self.start = start
    self.name = name
  }

  /// From a line of a status file: what it is of, the number, the start time.
  init?(_ words: [Substring]) {
    guard words.count == 3, let pid = Int32(words[1]), let start = UInt64(words[2]) else { return nil }
    self.init(pid: pid, start: start)
  }

  /// It exists and has not ended.
  public var isRunning: Bool {
    guard let (state, start, _) = Self.stat(pid) else { return false }
    return start == self.start && state != "Z" && state != "X"
  }

  /// State, start time and parent from /proc/PID/stat.
  private static func stat(_ pid: Int32) -> (state: Substring, start: UInt64, parent: Int32)? {
    guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
      let end = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 19, let start = UInt64(fields[19]), let parent = Int32(fields[1]) else { return nil }
    return (fields[0], start, parent)
  }

  /// The running processes that were started with a path below the folder, work in it or hold a file of it open, and
  /// their children. This process is none of them.
  static func all(touching folder: String) -> Set<ProcessMark> {
    var parents: [Int32: Int32] = [:]
    var marks: [Int32: ProcessMark] = [:]
    var found: Set<Int32> = []
    for entry in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
      guard let pid = Int32(entry), pid != getpid(), let (state, start, parent) = stat(pid), state != "Z" else {
        continue
      }
      let name = (try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)) ?? ""
      marks[pid] = ProcessMark(pid: pid, start: start, name: name.trimmingCharacters(in: .whitespacesAndNewlines))
      parents[pid] = parent
      if touches(pid, folder) { found.insert(pid) }
    }
    var grew = true
    while grew {
      let below = parents.filter { !found.contains($0.key) && found.contains($0.value) }.keys
      found.formUnion(below)
      grew = !below.isEmpty
    }
    return Set(found.compactMap { marks[$0] })
  }

  private static func touches(_ pid: Int32, _ folder: String) -> Bool {
    let manager = FileManager.default
    let wanted = Data(folder.utf8)
    if let line = manager.contents(atPath: "/proc/\(pid)/cmdline"), line.range(of: wanted) != nil { return true }
    if let place = try? manager.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd"), place.hasPrefix(folder) {
      return true
    }
    for descriptor in (try? manager.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? [] {
      let target = try? manager.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\(descriptor)")
      if target?.hasPrefix(folder) == true { return true }
    }
    return false
  }
}

/// A process that a castle keeps under a shim, as the shim wrote it down.
public struct CastleChild: Sendable, Hashable {
  /// `gate`, `postgres/CLUSTER/NAME`, `redis/GROUP/NAME`, or a task's. The mark's name is the program that runs now.
  public var id: String
  public var mark: ProcessMark
  public var shim: ProcessMark
  public var labels: [String: String]

  /// Those of a folder of status files that run.
  static func read(_ folder: String) -> [CastleChild] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return files.filter { $0.hasSuffix(".status") }.sorted().compactMap { file -> CastleChild? in
      guard let text = try? String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8) else { return nil }
      var id: String?
      var mark: ProcessMark?
      var shim: ProcessMark?
      var labels: [String: String] = [:]
      for line in text.split(separator: "\n") {
        let words = line.split(separator: " ", maxSplits: 2)
        switch words.first {
        case "id" where words.count > 1: id = String(line.dropFirst(3))
        case "child" where words.count == 3: mark = ProcessMark(words)
        case "shim" where words.count == 3: shim = ProcessMark(words)
        case "label" where words.count == 3: labels[String(words[1])] = String(words[2])
        default: break
        }
      }
      guard let id, var mark, let shim, mark.isRunning else { return nil }
      let name = (try? String(contentsOfFile: "/proc/\(mark.pid)/comm", encoding: .utf8)) ?? ""
      mark.name = name.trimmingCharacters(in: .whitespacesAndNewlines)
      return CastleChild(id: id, mark: mark, shim: shim, labels: labels)
    }
  }
}
