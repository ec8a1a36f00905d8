// The request that castle-shim reads (Sources/Platform/Shim/main.c is the other side).

/// Writes a specification in the shim's form: key, NUL, value, NUL, …
enum ShimRequest {
  /// - Throws: `SupervisorError.invalid` when a text holds what the form cannot carry.
  static func encode(
    _ spec: ProcessSpecification, statusFile: String, hasInput: Bool
  ) throws(SupervisorError) -> [UInt8] {
    var out: [UInt8] = []
    var bad: String?
    func put(_ key: String, _ value: String) {
      if value.utf8.contains(0) { bad = "\(key) holds a NUL byte" }
      out.append(contentsOf: key.utf8)
      out.append(0)
      out.append(contentsOf: value.utf8)
      out.append(0)
    }
    put("executable", spec.executable)
    // Programs that look for others beside themselves (pg_rewind for postgres) want to be called by their path.
    put("argument", spec.executable)
    for argument in spec.arguments { put("argument", argument) }
    for (name, value) in spec.environment.sorted(by: { $0.key < $1.key }) {
      if name.isEmpty || name.contains("=") { bad = "environment variable name '\(name)'" }
      put("environment", "\(name)=\(value)")
    }
    put("status", statusFile)
    put("log", spec.logFile)
    put("umask", String(spec.fileModeMask, radix: 8))
    if let directory = spec.workingDirectory { put("directory", directory) }
    if hasInput { put("input", "1") }
    if spec.leavesDescendants { put("leave", "1") }
    if spec.respawns { put("respawn", "1") }
    if let listener = spec.listener {
      put("listen-host", listener.host)
      put("listen-port", String(listener.port))
    }
    if let user = spec.user, SystemUser.isRoot {
      put("user", String(user.uid))
      put("group", String(user.gid))
      for group in user.groups.prefix(64) { put("groups", String(group)) }
    }
    let limits: [(String, UInt64?)] = [
      ("nofile", spec.limits.openFiles), ("core", spec.limits.coreBytes), ("as", spec.limits.addressSpaceBytes),
      ("data", spec.limits.dataBytes), ("nproc", spec.limits.processes),
    ]
    for case (let name, let value?) in limits { put("limit-\(name)", String(value)) }
    put("note", "id \(spec.id)")
    for (key, value) in spec.labels.sorted(by: { $0.key < $1.key }) {
      if key.isEmpty || (key + value).contains(where: \.isNewline) || key.contains(" ") { bad = "label '\(key)'" }
      put("note", "label \(key) \(value)")
    }
    if spec.id.isEmpty || spec.id.utf8.count > 180 || spec.id.contains(where: \.isNewline) { bad = "the id" }
    if spec.logFile.contains(where: \.isNewline) { bad = "the log file's name" }
    if let bad { throw .invalid(id: spec.id, bad) }
    return out
  }
}
