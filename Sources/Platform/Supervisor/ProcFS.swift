// What /proc tells of a process.

import Glibc

/// The few facts of /proc/PID that supervision needs.
enum ProcFS {
  struct Stat {
    var state: UInt8
    var parent: Int32
    var cpuTicks: UInt64
    var startTime: UInt64
  }

  /// This boot of the machine: start times count from it.
  static let bootID: String = {
    let bytes = (try? PrivateFiles.read("/proc/sys/kernel/random/boot_id")) ?? nil
    return String(decoding: (bytes ?? []).prefix { $0 != 10 }, as: UTF8.self)
  }()

  /// Clock ticks a second.
  static let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))

  static func stat(_ pid: Int32) -> Stat? {
    guard let read = try? PrivateFiles.read("/proc/\(pid)/stat"), let close = read.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    // Behind the name, which may hold anything: field 3 (the state) comes first.
    let fields = String(decoding: read[(close + 1)...], as: UTF8.self).split(separator: " ")
    guard fields.count > 20, let state = fields[0].utf8.first, let parent = Int32(fields[1]),
      let user = UInt64(fields[11]), let system = UInt64(fields[12]), let reapedUser = UInt64(fields[13]),
      let reapedSystem = UInt64(fields[14]), let start = UInt64(fields[19])
    else { return nil }
    return Stat(
      state: state, parent: parent, cpuTicks: user + system + reapedUser + reapedSystem, startTime: start)
  }

  /// Whether this very process (not a later one of the same number) exists and has not ended.
  static func isRunning(_ pid: Int32, startTime: UInt64) -> Bool {
    guard pid > 0, let now = stat(pid) else { return false }
    return now.startTime == startTime && now.state != UInt8(ascii: "Z") && now.state != UInt8(ascii: "X")
  }

  /// Resident and shared bytes.
  static func memory(_ pid: Int32) -> (resident: UInt64, shared: UInt64)? {
    guard let bytes = try? PrivateFiles.read("/proc/\(pid)/statm") else { return nil }
    let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ").compactMap { UInt64($0) }
    guard fields.count > 2 else { return nil }
    let page = UInt64(sysconf(Int32(_SC_PAGESIZE)))
    return (fields[1] * page, fields[2] * page)
  }

  /// The children of all of a process's threads.
  static func children(_ pid: Int32) -> [Int32] {
    let threads = (try? PrivateFiles.list("/proc/\(pid)/task")) ?? []
    return threads.flatMap { thread -> [Int32] in
      let bytes = (try? PrivateFiles.read("/proc/\(pid)/task/\(thread)/children")) ?? nil
      return String(decoding: bytes ?? [], as: UTF8.self).split(whereSeparator: \.isWhitespace).compactMap { Int32($0) }
    }
  }

  /// The use of a process and all below it.
  static func use(of root: Int32) -> ResourceUse? {
    guard stat(root) != nil else { return nil }
    var use = ResourceUse(cpuSeconds: 0, residentBytes: 0, processes: 0)
    var shared: UInt64 = 0
    var open = [root]
    while let pid = open.popLast(), use.processes < 4096 {
      guard let now = stat(pid) else { continue }
      use.processes += 1
      use.cpuSeconds += Double(now.cpuTicks) / ticks
      if let memory = memory(pid) {
        use.residentBytes += memory.resident - min(memory.resident, memory.shared)
        shared = max(shared, memory.shared)
      }
      open.append(contentsOf: children(pid))
    }
    use.residentBytes += shared
    return use
  }
}
