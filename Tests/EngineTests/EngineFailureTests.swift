// Servers that cannot start: what their engines say of it, and that they come up when the cause has gone.

import Foundation
import Supervisor
import Testing

@testable import PostgresEngine
@testable import RedisEngine

@Suite("Engines that cannot start", .timeLimit(.minutes(2))) struct EngineFailureTests {
  @Test("the last words of a PostgreSQL log are those of its last server, without times and noise")
  func postgresWords() {
    let log = """
      2026-11-23 16:29:58.700 GMT [29776] LOG:  starting PostgreSQL 15.18 on x86_64
      2026-11-23 16:29:58.700 GMT [29776] FATAL:  an older reason
      2026-11-23 16:29:58.702 GMT [29776] LOG:  database system is shut down
      2026-11-23 16:29:58.748 GMT [29782] LOG:  invalid value for parameter "TimeZone": "Nowhere/Land"
      2026-11-23 16:29:58.748 GMT [29782] FATAL:  configuration file "/d/postgresql.conf" contains errors
      2026-11-23 16:29:58.750 GMT [29782] LOG:  database system is shut down

      """
    let words = PostgresFailure.lastWords(log, pid: 29782)
    #expect(
      words == #"LOG:  invalid value for parameter "TimeZone": "Nowhere/Land" "#
        + #"FATAL:  configuration file "/d/postgresql.conf" contains errors"#)
    #expect(
      PostgresFailure.lastWords("initdb: error: could not create directory: No space\n", pid: nil).contains("No space"))
    let script = "running bootstrap script ... 2026-11-23 17:14:46.743 UTC [285] FATAL:  could not extend file\n"
    #expect(PostgresFailure.lastWords(script, pid: nil) == "FATAL:  could not extend file")
    let error = PostgresError.startFailed(instance: "a", log: words)
    #expect(PostgresFailure.of(error, parameters: ["timezone": "Nowhere/Land"], folder: "/")?.cause == .parameters)
    #expect(PostgresFailure.of(error, parameters: [:], folder: "/")?.cause == .other)
    #expect(PostgresFailure.of(PostgresError.connection("gone"), parameters: [:], folder: "/") == nil)
  }

  @Test("the last words of a Redis log are its configuration's error, or its warnings")
  func redisWords() {
    let configuration = """
      29790:C 23 Nov 2026 16:29:58.830 # Configuration loaded

      *** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***
      Reading the configuration file, at line 8
      >>> 'maxmemory-policy "sometimes"'
      argument(s) must be one of the following: volatile-lru, noeviction

      """
    let words = RedisFailure.lastWords(configuration, pid: 29791)
    #expect(words.hasPrefix("FATAL CONFIG FILE ERROR (Redis 7.0.15): Reading") && words.hasSuffix("noeviction"))
    let error = RedisError.startFailed(node: "a", log: words)
    #expect(RedisFailure.of(error, parameters: ["maxmemory-policy": "sometimes"], folder: "/")?.cause == .parameters)
    #expect(RedisFailure.of(error, parameters: ["timeout": "1"], folder: "/")?.cause == .other)
    let running = """
      29780:M 23 Nov 2026 16:29:57.832 # Another server's words
      29791:C 23 Nov 2026 16:29:58.830 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo
      29791:M 23 Nov 2026 16:29:58.831 * Running mode=standalone, port=17999.
      29791:M 23 Nov 2026 16:29:58.831 # WARNING Memory overcommit must be enabled!
      29791:M 23 Nov 2026 16:29:58.832 # Invalid AOF manifest file format

      """
    #expect(RedisFailure.lastWords(running, pid: 29791) == "Invalid AOF manifest file format")
  }

  @Test("a program that is not there is told at once") func programs() async throws {
    try await EngineFixture.with { f in
      let spec = try f.postgres("gone", instances: 1)
      let cluster = try await PostgresCluster.open(
        spec, supervisor: f.supervisor, installation: PostgresInstallation(binDirectory: "/nowhere", version: "15.0"))
      let name = spec.instances[0].name
      let state = try await cluster.wait(timeout: 60) { $0[name]?.failure != nil }
      #expect(state[name]?.failure?.cause == .program)
      #expect(state[name]?.failure?.remedy?.contains("castle doctor") == true)
      try await cluster.destroy()

      let address = "\(f.network).9"
      let group = try await RedisGroup.open(
        .init(id: "lost", dataRoot: f.data, nodes: [.init(name: "n", address: address, port: 6379)]),
        supervisor: f.supervisor, server: "/nowhere/redis-server")
      let seen = try await group.wait(timeout: 60) { $0["n"]?.failure != nil }
      #expect(seen["n"]?.failure?.cause == .program)
      try await group.destroy()
    }
  }

  @Test("Redis with a data folder of somebody else's tells so, and comes up when it is its own again")
  func redisFolder() async throws {
    try await EngineFixture.with { f in
      let address = "\(f.network).8"
      let spec = RedisGroup.Specification(
        id: "shut", dataRoot: f.data, nodes: [.init(name: "n", address: address, port: try FreePort.on(address))])
      // What shall be its folder is a file.
      let folder = spec.directory + "/n"
      try PrivateFiles.makeDirectory(spec.directory, mode: 0o711)
      try PrivateFiles.write("in the way".utf8, to: folder)
      let group = try await RedisGroup.open(spec, supervisor: f.supervisor)
      let state = try await group.wait(timeout: 60) { $0["n"]?.failure != nil }
      #expect(state["n"]?.failure?.cause == .files, "\(state)")
      #expect(state["n"]?.failure?.reason.contains(folder) == true, "\(state)")
      try PrivateFiles.remove(folder)
      let well = try await group.wait(timeout: 60) { $0.isSettled }
      #expect(well["n"]?.failure == nil)
      try await group.destroy()
    }
  }
}
