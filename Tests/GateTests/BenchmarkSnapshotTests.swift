// The benchmarks start a Gate by themselves, with a snapshot that nobody compiles.
import Foundation
import GateProtocol
import Testing

@Suite("the benchmarks' snapshot")
struct BenchmarkSnapshotTests {
  /// What `Benchmarks/support/gate-snapshot.json` says; `Benchmarks/support/gate.py` fills in ports and TLS.
  private func snapshot() throws -> GateSnapshot {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let file = root.appending(path: "Benchmarks/support/gate-snapshot.json")
    return try JSONDecoder().decode(GateSnapshot.self, from: Data(contentsOf: file))
  }

  @Test("the Gate takes it and serves with it")
  func isServed() async throws {
    let server = try TestServer { _ in ok("served") }
    try await GateFixture.with { gate in
      var snapshot = try snapshot()
      snapshot.targetGroups[0].targets[0].port = target(server).port
      let status = try await gate.client.apply(snapshot)
      let port = try #require(status.listener("listener")?.port)
      let answer = try await get(port, "/")
      #expect(answer.status == 200)
      #expect(answer.text == "served")
    }
  }
}
