// Our table in nftables: its text anywhere, its effect in a network namespace that the test makes.
import Glibc
import Testing

@testable import GateCore

@Suite("Packet filter", .timeLimit(.minutes(1)))
struct NetfilterTests {
  private static let table: NetfilterTable = {
    var table = NetfilterTable(name: NetfilterTable.name(for: "/tmp/gate.sock"))
    table.places = [.init(address: 0x7F00_0001, port: 8080), .init(address: 0x7F00_0001, port: 8081)]
    table.held = [0x7F05_0005: 30]
    return table
  }()

  @Test("rules name our table and our listeners only, and replace what was there")
  func text() {
    let rules = Self.table.rules
    #expect(rules.hasPrefix("table inet \(Self.table.name) {}\ndelete table inet \(Self.table.name)\n"))
    #expect(rules.contains("ip daddr . tcp dport { 127.0.0.1 . 8080, 127.0.0.1 . 8081 }"))
    var both = Self.table
    both.places.append(.init(address: 0x7F00_0001, port: 53, isDatagram: true))
    #expect(both.rules.contains("ip daddr . udp dport { 127.0.0.1 . 53 } ip saddr @held4 counter drop"))
    #expect(both.rules.contains("tcp dport { 127.0.0.1 . 8080, 127.0.0.1 . 8081 }"))
    both.places.removeFirst(2)
    #expect(both.rules.contains("meter udp4") && !both.rules.contains("tcp"))
    #expect(rules.contains("elements = { 127.5.0.5 timeout 30s }"))
    let named = rules.split(separator: "\n").filter { $0.contains("table inet") }
    #expect(named.allSatisfy { $0.contains(Self.table.name) })
    #expect(!rules.contains("flush"))
    #expect(NetfilterTable(name: "x").rules == NetfilterTable(name: "x").removal)
    #expect(NetfilterTable.name(for: "/a") != NetfilterTable.name(for: "/b"))
  }

  /// Whether this process can have a network namespace with nftables.
  private static let canFilter =
    access("/usr/sbin/nft", X_OK) == 0 && access("/usr/bin/python3", X_OK) == 0
    && run("unshare -Urn nft list tables").status == 0

  @Test(
    "in a namespace of its own the kernel drops a held source, serves others, and the table goes when it is removed",
    .enabled(if: canFilter, "needs nftables, python3 and user namespaces"))
  func effect() async throws {
    let folder = try temporaryFolder()
    defer { removeFolder(folder, files: ["rules", "removal", "try.py"]) }
    var table = Self.table
    table.places.append(.init(address: 0x7F00_0001, port: 8053, isDatagram: true))
    try write(table.rules, to: folder + "/rules")
    try write(Self.table.removal, to: folder + "/removal")
    try write(
      """
      import socket
      listener = socket.socket(); listener.bind(("127.0.0.1", 8080)); listener.listen(64)
      def attempt(source):
          s = socket.socket(); s.settimeout(0.3); s.bind((source, 0))
          try:
              s.connect(("127.0.0.1", 8080)); return "yes"
          except OSError:
              return "no"
          finally:
              s.close()
      datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      datagrams.bind(("127.0.0.1", 8053)); datagrams.settimeout(0.3)
      def tell(source):
          s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((source, 0))
          try:
              s.sendto(b"x", ("127.0.0.1", 8053)); datagrams.recv(9); return "yes"
          except OSError:
              return "no"
          finally:
              s.close()
      print(*[f(source) for f in (attempt, tell) for source in ("127.5.0.5", "127.5.0.6")])
      """, to: folder + "/try.py")
    let result = try await onThread {
      Self.run(
        """
        unshare -Urn sh -e -c 'ip link set lo up
        nft add table inet other
        nft -f \(folder)/rules
        nft -f \(folder)/rules
        python3 \(folder)/try.py
        nft -f \(folder)/removal
        nft list tables
        python3 \(folder)/try.py'
        """)
    }
    #expect(result.status == 0, "\(result.output)")
    #expect(result.output == "no yes no yes\ntable inet other\nyes yes yes yes\n")
  }

  private func write(_ text: String, to path: String) throws {
    guard let file = fopen(path, "w") else { throw TestFailure("cannot write \(path)") }
    fputs(text, file)
    fclose(file)
  }

  private static func run(_ command: String) -> (status: Int32, output: String) {
    guard let pipe = popen(command + " 2>&1", "r") else { return (-1, "") }
    var output = ""
    var buffer = [CChar](repeating: 0, count: 4096)
    while fgets(&buffer, Int32(buffer.count), pipe) != nil {
      output += String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    return (pclose(pipe), output)
  }
}
