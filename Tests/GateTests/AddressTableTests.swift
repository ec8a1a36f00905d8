// Web ACLs that ask what is known of the client's address: files that are read, read again, and who is told besides.
import GateProtocol
import Glibc
import Testing
import WebACL

@testable import GateCore

@Suite("What the Gate knows of addresses", .timeLimit(.minutes(2)))
struct AddressTableTests {
  /// Blocks with a status for each thing that may be known of a client.
  private static let acl: WebACL = {
    func rule(_ status: Int, _ statement: WebACL.Statement) -> WebACL.Rule {
      .init(name: "r\(status)", priority: status, statement, .block(.init(status: status)))
    }
    var acl = WebACL(
      id: "acl",
      rules: [
        rule(451, .geo(["DE"], nil)), rule(452, .system([64496], nil)),
        rule(453, .addressList("AWSManagedReconnaissanceList")), rule(454, .addressList(AddressLists.attackers)),
        rule(455, .system([64499], .init(header: "X-Forwarded-For", fallback: false))),
      ])
    acl.loadBalancers = ["lb"]
    return acl
  }()

  private func apply(_ gate: GateFixture, _ server: TestServer, _ version: UInt64, _ sources: AddressSources?)
    async throws
    -> UInt16
  {
    let group = GateSnapshot.TargetGroup(id: "tg", targets: [target(server)], healthCheck: .init(probe: .none))
    let listener = GateSnapshot.Listener(id: "listener", port: 0, defaultAction: .forward(to: "tg"))
    var snapshot = GateSnapshot(
      version: version, loadBalancers: [.init(id: "lb", address: "127.0.0.1", listeners: [listener])],
      targetGroups: [group])
    snapshot.webACLs = [Self.acl]
    snapshot.addressSources = sources
    return try #require(try await gate.client.apply(snapshot).listener("listener")?.port)
  }

  private func status(_ port: UInt16, from address: String, _ headers: String = "") async throws -> Int? {
    try await onThread {
      let connection = try RawSocket(port: port, from: address)
      try connection.send("GET / HTTP/1.1\r\nHost: x\r\n\(headers)\r\n")
      return try MessageReader(connection).next()?.status
    }
  }

  private func write(_ path: String, _ text: String) throws {
    let file = try #require(fopen(path, "we"))
    fputs(text, file)
    fclose(file)
  }

  @Test("countries, systems, lists and attackers come from where the snapshot says, and follow it")
  func known() async throws {
    let server = try TestServer { _ in ok("") }
    let folder = try temporaryFolder()
    defer { removeFolder(folder, files: ["countries.csv", "networks.csv", "lists.csv"]) }
    try write(folder + "/countries.csv", "network,country\n127.0.51.0/24,DE\n")
    try write(folder + "/networks.csv", "\"127.0.52.0/24\",\"64496\"\r\n127.0.59.0/24,AS64499\n")
    try write(folder + "/lists.csv", "127.0.53.7,AWSManagedReconnaissanceList\n127.0.53.8,NoSuchList\n")
    func file(_ name: String, _ time: Int64) -> AddressSources.File {
      .init(path: "\(folder)/\(name).csv", writtenAt: time)
    }
    try await GateFixture.with { gate in
      let none = try await apply(gate, server, 1, nil)
      for source in ["127.0.51.1", "127.0.52.1", "127.0.53.7", "127.0.54.9"] {
        #expect(try await status(none, from: source) == 200, "\(source)")
      }
      var sources = AddressSources()
      sources.countries = file("countries", 1)
      sources.systems = file("networks", 1)
      sources.lists = file("lists", 1)
      sources.attackers = ["127.0.54.9"]
      let port = try await apply(gate, server, 2, sources)
      let expected = [
        "127.0.51.1": 451, "127.0.52.1": 452, "127.0.53.7": 453, "127.0.53.8": 200, "127.0.54.9": 454, "127.0.0.1": 200,
      ]
      for (source, wanted) in expected { #expect(try await status(port, from: source) == wanted, "\(source)") }
      #expect(try await status(port, from: "127.0.0.1", "X-Forwarded-For: 127.0.59.1\r\n") == 455)
      #expect(try await status(port, from: "127.0.59.1") == 200)
      // Written anew, and attackers forgotten; what did not change is not read again.
      try write(folder + "/networks.csv", "127.0.55.0/24,64496\n")
      try write(folder + "/countries.csv", "")
      sources.systems = file("networks", 2)
      sources.attackers = []
      let later = try await apply(gate, server, 3, sources)
      let now = ["127.0.51.1": 451, "127.0.52.1": 200, "127.0.55.1": 452, "127.0.53.7": 453, "127.0.54.9": 200]
      for (source, wanted) in now { #expect(try await status(later, from: source) == wanted, "\(source)") }
      // A file that went is as one that nobody gave.
      sources.lists = nil
      let last = try await apply(gate, server, 4, sources)
      #expect(try await status(last, from: "127.0.53.7") == 200)
    }
  }
}
