// Access logs of network load balancers: a line for each TLS connection.
import GateProtocol
import Testing

@testable import GateCore

@Suite("Logs of network load balancers", .timeLimit(.minutes(2)))
struct FlowLogTests {
  @Test("every TLS connection has its line with all fields in order, also when its handshake fails")
  func lines() async throws {
    let folder = try temporaryFolder()
    let server = try TestServer { socket, _ in
      let bytes = try socket.receive()
      try socket.send(Array("hello ".utf8) + bytes)
    }
    let made = try TestCertificates.shared.get()
    let authority = made.folder + "/ca.pem"
    var port: UInt16 = 0
    try await GateFixture.with(loops: 1) { gate in
      func listener(_ id: String, _ transport: GateSnapshot.NetworkListener.Transport) -> GateSnapshot.NetworkListener {
        .init(
          id: id, port: 0, transport: transport,
          tls: transport == .tls
            ? .init(
              certificates: ["rsa", "other"], securityPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06",
              alpn: .http2Preferred) : nil,
          targetGroups: [.init(targetGroup: "tg")], name: "g3d4b5e8bb8464cd")
      }
      let status = try await gate.client.apply(
        GateSnapshot(
          version: 1,
          targetGroups: [.init(id: "tg", targets: [target(server)], healthCheck: .init(probe: .none), transport: .tcp)],
          certificates: made.all,
          networkLoadBalancers: [
            .init(
              id: "nlb", address: "127.0.0.1", listeners: [listener("tls", .tls), listener("tcp", .tcp)],
              logs: .init(name: "net/flows/c6e77e28c25b2234", accessFolder: folder))
          ]))
      let tls = try #require(status.listener("tls")?.port)
      port = tls
      let plain = try #require(status.listener("tcp")?.port)
      func connect(_ arguments: [String]) async throws -> String {
        try await run(["openssl", "s_client", "-quiet", "-connect", "127.0.0.1:\(tls)"] + arguments, input: "abc")
          .output
      }
      #expect(
        try await connect(["-servername", "shop.test", "-alpn", "h2,http/1.1,a b", "-CAfile", authority])
          .contains("hello abc"))
      #expect(try await connect(["-servername", "other.test", "-tls1_2"]).contains("hello abc"))
      // Who does not trust the certificate says so with an alert.
      _ = try await connect(["-verify_return_error", "-CAfile", made.folder + "/rsa.pem", "-verify", "1"])
      // What is no ClientHello at all; and what needs no line.
      try await onThread {
        let socket = try RawSocket(port: tls)
        try socket.send("GET / HTTP/1.1\r\n\r\n")
        _ = try socket.receiveToEnd()
        let unencrypted = try RawSocket(port: plain)
        try unencrypted.send("abc")
        _ = try unencrypted.receiveToEnd()
      }
    }
    // The Gate has ended: its segments are complete.
    let all = try await run(["sh", "-c", "cat \(folder)/*.log; rm -r \(folder)"]).output
    let found = all.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    #expect(found.count == 4, "\(all)")
    for line in found {
      #expect(line.count == 22, "\(line)")
      #expect(line[0] == "tls" && line[1] == "2.0")
      for time in [line[2], line[21]] { #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/) != nil) }
      #expect(line[3] == "net/flows/c6e77e28c25b2234" && line[4] == "g3d4b5e8bb8464cd")
      #expect(line[5].hasPrefix("127.0.0.1:") && line[6] == "127.0.0.1:\(port)")
      #expect(line[13] == "-" && line[16] == "-", "reserved")
    }
    let first = try #require(found.first { $0[17] == "shop.test" })
    let total = try #require(Int(first[7]))
    let handshake = try #require(Int(first[8]))
    #expect(handshake <= total)
    #expect(first[9...11] == ["3", "9", "-"], "\(first)")
    #expect(first[12] == "rsa" && first[14].hasPrefix("TLS_") && first[15] == "tlsv13")
    #expect(first[18...20] == ["h2", "-", #""h2","http/1.1","a%20b""#], "\(first)")
    let second = try #require(found.first { $0[17] == "other.test" })
    #expect(second[12] == "other" && second[14].hasPrefix("ECDHE-ECDSA-") && second[15] == "tlsv12", "\(second)")
    #expect(second[18...20] == ["-", "-", "-"])
    // With TLS 1.3 the server's handshake may be complete before the client has looked at the certificate.
    let alert = try #require(found.first { $0[11] != "-" }, "\(all)")
    #expect(["48", "20", "19", "46"].contains(alert[11]) && alert[12] == "rsa", "\(alert)")
    let garbage = try #require(found.first { $0[12] == "-" }, "\(all)")
    #expect(garbage[8...12] == ["-", "0", "0", "-", "-"] && garbage[14...20].allSatisfy { $0 == "-" }, "\(garbage)")
  }

  @Test("a client's list of protocols is told in 256 bytes, and damaged lists harm nobody")
  func lists() {
    #expect(FlowLogLine.list([]) == "")
    #expect(FlowLogLine.list([2, 0x68, 0x32]) == #""h2""#)
    #expect(FlowLogLine.list([2, 0x68, 0x32, 9, 0x68]) == #""h2""#)
    #expect(FlowLogLine.list([3, 0x22, 0x0A, 0xFF]) == #""%22%0A%FF""#)
    #expect(FlowLogLine.list(Array(repeating: 1, count: 2000)).utf8.count == 256)
    #expect(FlowLogLine.version("TLSv1") == "tlsv10" && FlowLogLine.version("TLSv1.1") == "tlsv11")
  }
}
