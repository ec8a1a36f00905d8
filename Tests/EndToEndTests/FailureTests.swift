// Databases that cannot start, seen from outside: CloudFormation and RDS through boto3, and castle up.

import AWSCore
import CastleTesting
import Foundation
import Testing

@Suite("a database that cannot start, through boto3", .serialized, .castle(.empty(strict: false)))
struct FailureScriptTests {
  @Test("fails its stack with PostgreSQL's words, is in RDS's events, and leaves nothing", .timeLimit(.minutes(2)))
  func stack() async throws { try await castle().script("failures.py") }
}

@Suite("castle up where a database cannot start", .serialized, .castle(.stopped)) struct UpFailureTests {
  private static let file = """
    name: shop
    region: us-east-1
    services:
      web:
        run: python3 -m http.server
        port: 3000
        uses: [orders]
    databases:
      orders: { engine: aurora-postgresql }
    """

  private func app(_ castle: CastleProcess) throws -> String {
    let file = "\(castle.folder)/castle.yaml"
    try Self.file.write(toFile: file, atomically: true, encoding: .utf8)
    return file
  }

  @Test(
    "says why as soon as it is known and what to do, ends with an error, and gets through afterwards",
    .timeLimit(.minutes(3)))
  func folder() async throws {
    let castle = try castle()
    let file = try app(castle)
    // What shall be the databases' folder is a file.
    try FileManager.default.createDirectory(
      atPath: castle.state, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
    try "in the way".write(toFile: "\(castle.state)/rds", atomically: true, encoding: .utf8)
    let up = ["up", "-d", "--file", file, "--port", "\(castle.port)"]
    let failed = try await castle.castle(up, seconds: 60)
    #expect(failed.status == 1, "\(failed)")
    #expect(failed.error.contains("ROLLBACK_COMPLETE") && failed.error.contains("AWS::RDS::DB"), "\(failed)")
    #expect(failed.error.contains("\(castle.state)/rds") && failed.error.contains("what to do: put right"), "\(failed)")
    #expect(failed.error.contains("run castle up again"), "\(failed)")

    let json = try await castle.castle(up + ["--json"], seconds: 60)
    #expect(json.status == 1, "\(json)")
    let told = try json.json()
    #expect(told["action"] == "create" && told["error"]?.text?.contains("ROLLBACK_COMPLETE") == true, "\(json)")
    let part = told["failed"]?.array?.first
    #expect(part?["reason"]?.text?.contains("\(castle.state)/rds") == true, "\(json)")
    #expect(part?["remedy"]?.text?.isEmpty == false, "\(json)")

    try FileManager.default.removeItem(atPath: "\(castle.state)/rds")
    let well = try await castle.castle(up, seconds: 100)
    #expect(well.status == 0, "\(well)")
    // It was well, and is spoilt while it is down.
    try await castle.castle(["down", "--file", file]).succeeded()
    try await castle.run("sh", ["-c", "chmod 755 \(castle.state)/rds/cluster-*/*/data"]).succeeded()
    let spoilt = try await castle.castle(up, seconds: 60)
    #expect(spoilt.status == 1 && spoilt.error.contains("has invalid permissions"), "\(spoilt)")
    let status = try await castle.castle(["status", "--file", file])
    #expect(status.output.contains("has invalid permissions"), "\(status)")
    try await castle.run("sh", ["-c", "chmod 700 \(castle.state)/rds/cluster-*/*/data"]).succeeded()
    try await castle.castle(up, seconds: 100).succeeded()
  }
}

@Suite("castle up on a machine that lacks something", .serialized, .castle(.stopped)) struct UpMachineTests {
  private static let file = """
    name: shop
    region: us-east-1
    services:
      web: { run: python3 -m http.server, port: 3000, uses: [orders] }
    databases:
      orders: { engine: aurora-postgresql }
    """

  /// Runs castle up in a mount namespace of its own, which takes root.
  /// - Parameter prepare: a shell script with the castle's folder as $1, the program as $2, the state as $5.
  /// - Returns: nil where that is not possible.
  private func up(_ prepare: String) async throws -> Finished? {
    let castle = try castle()
    guard geteuid() == 0, try await castle.run("unshare", ["-m", "true"]).status == 0 else { return nil }
    let file = "\(castle.folder)/castle.yaml"
    try Self.file.write(toFile: file, atomically: true, encoding: .utf8)
    let script = prepare + "\nexec \"$2\" up -d --file \"$3\" --port \"$4\" --state \"$5\""
    let up = try await castle.run(
      "unshare", ["-m", "sh", "-c", script, "sh", castle.folder, castle.program, file, "\(castle.port)", castle.state],
      seconds: 90)
    try await castle.castle(["destroy", "--yes"]).succeeded()
    return up.status == 77 ? nil : up
  }

  @Test("without /dev/shm it says so, and the command that helps; so does castle doctor", .timeLimit(.minutes(2)))
  func sharedMemory() async throws {
    let up = try await up(
      """
      mkdir -p "$1/empty" && mount --bind "$1/empty" /dev/shm && mount -o remount,ro,bind /dev/shm || exit 77
      "$2" doctor --json
      """)
    guard let up else { return }
    #expect(up.status == 1, "\(up)")
    #expect(up.error.contains("shared memory segment"), "\(up)")
    #expect(up.error.contains("OrdersWriter (AWS::RDS::DBInstance) failed: DB Instance "), "\(up)")
    #expect(up.error.contains("what to do: mount it: mount -t tmpfs"), "\(up)")
    let doctor = try JSONDecoder().decode(JSONValue.self, from: Data(up.output.utf8))
    #expect(doctor["machine"]?.array?.first?["well"] == false, "\(up)")
    #expect(doctor["machine"]?.array?.first?["problem"] == "/dev/shm is read-only", "\(up)")
  }

  @Test("on a full disk it says which", .timeLimit(.minutes(2))) func storage() async throws {
    let up = try await up(
      """
      mkdir -p "$5/rds" && chmod 711 "$5" && mount -t tmpfs -o size=20m,mode=711 tmpfs "$5/rds" || exit 77
      """)
    guard let up else { return }
    #expect(up.status == 1, "\(up)")
    #expect(up.error.contains("is in state: storage-full. "), "\(up)")
    #expect(up.error.contains("what to do: free room on the disk that holds "), "\(up)")
  }
}
