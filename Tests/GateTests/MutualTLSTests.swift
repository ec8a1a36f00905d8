// Clients with certificates, in both modes.
import GateProtocol
import Glibc
import Testing

@testable import GateCore

@Suite("Mutual TLS", .timeLimit(.minutes(2)))
struct MutualTLSTests {
  private struct Clients {
    let folder: String
    let authority: String

    init() throws {
      folder = try temporaryFolder()
      try TestCertificates.authority("ca", "Clients", folder)
      try TestCertificates.authority("stranger", "Strangers", folder)
      authority = try text(folder + "/ca.pem")
      let extra = ["-addext", "extendedKeyUsage=clientAuth"]
      _ = try TestCertificates.make("good", [], "ec", folder, subject: "/C=DE/O=Shop, Inc./CN=good", extra: extra)
      _ = try TestCertificates.make("bad", [], "ec", folder, authority: "stranger", extra: extra)
      // A certificate that ended yesterday.
      try TestCertificates.openssl([
        "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "\(folder)/old.key",
        "-out", "\(folder)/old.csr", "-subj", "/CN=old",
      ])
      let database = """
        [ca]
        default_ca = d
        [d]
        database = \(folder)/index
        serial = \(folder)/serial
        new_certs_dir = \(folder)
        certificate = \(folder)/ca.pem
        private_key = \(folder)/ca.key
        default_md = sha256
        default_crl_days = 1
        policy = p
        [p]
        commonName = supplied
        countryName = optional
        organizationName = optional
        """
      try store(database, to: folder + "/ca.conf")
      try store("", to: folder + "/index")
      try store("0A1B2C", to: folder + "/serial")
      try TestCertificates.openssl([
        "ca", "-config", "\(folder)/ca.conf", "-batch", "-in", "\(folder)/old.csr", "-out", "\(folder)/old.pem",
        "-startdate", "20200101000000Z", "-enddate", "20210101000000Z", "-notext",
      ])
    }

    /// A list that revokes the good client's certificate.
    func revocations() throws -> String {
      try TestCertificates.openssl(["ca", "-config", "\(folder)/ca.conf", "-revoke", "\(folder)/good.pem"])
      try TestCertificates.openssl(["ca", "-config", "\(folder)/ca.conf", "-gencrl", "-out", "\(folder)/crl.pem"])
      return try text(folder + "/crl.pem")
    }

    func remove() throws { _ = try runBlocking(["rm", "-rf", folder]) }
  }

  private static func store(_ text: String, to path: String) throws {
    guard let file = fopen(path, "w") else { throw TestFailure("no file \(path)") }
    fputs(text, file)
    fclose(file)
  }

  private static let names = ["", "-Serial-Number", "-Issuer", "-Subject", "-Validity", "-Leaf"]

  private func server() throws -> TestServer {
    try TestServer { message in
      ok(Self.names.map { message.all("X-Amzn-Mtls-Clientcert" + $0).joined(separator: "|") }.joined(separator: "\n"))
    }
  }

  private func curl(_ port: UInt16, _ clients: Clients, _ name: String?) async throws -> (
    status: Int32, lines: [String]
  ) {
    let identity = name.map { ["--cert", "\(clients.folder)/\($0).pem", "--key", "\(clients.folder)/\($0).key"] } ?? []
    let (status, output) = try await run(
      ["curl", "-s", "-k", "-m", "10", "-H", "X-Amzn-Mtls-Clientcert-Subject: CN=forged"] + identity
        + ["https://127.0.0.1:\(port)/"])
    return (status, output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
  }

  private func tls(_ mutual: GateSnapshot.MutualAuthentication) -> GateSnapshot.ListenerTLS {
    .init(certificates: ["rsa"], securityPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06", mutual: mutual)
  }

  @Test("in verify mode only clients of the trust store get in, and targets are told who they are")
  func verify() async throws {
    let clients = try await onThread { try Clients() }
    let server = try server()
    try await GateFixture.with { gate in
      let port = try await gate.serveTLS(
        targets: [target(server)],
        tls: tls(.verify(trustStore: "store", ignoresExpiry: false, advertisesAuthorities: true)),
        trustStores: [.init(id: "store", authorities: clients.authority)])
      let good = try await curl(port, clients, "good")
      #expect(good.status == 0)
      try #require(good.lines.count == 6)
      let expected = try await run(["openssl", "x509", "-in", clients.folder + "/good.pem", "-noout", "-serial"]).output
      #expect("serial=\(good.lines[1])\n" == expected)
      #expect(good.lines[2] == "CN=Clients")
      #expect(good.lines[3] == #"CN=good,O=Shop\, Inc.,C=DE"#)
      #expect(
        good.lines[4].wholeMatch(of: /NotBefore=\d{4}-\d\d-\d\dT[\d:]{8}Z;NotAfter=\d{4}-\d\d-\d\dT[\d:]{8}Z/) != nil)
      let leaf = good.lines[5].replacing("%0A", with: "\n").replacing("%20", with: " ")
      let file = try text(clients.folder + "/good.pem")
      #expect(leaf == file)
      #expect(good.lines[0].isEmpty)
      for name in ["bad", "old", nil] { #expect(try await curl(port, clients, name).status != 0, "\(name ?? "-")") }
      // Curl learns of the refusal in TLS 1.3 after its own handshake is done; the Gate counts each.
      #expect(try await eventually { try await gate.client.statistics().loadBalancers[0].clientTLSErrors == 3 })
      let hints = try await handshake(port)
      #expect(hints.contains("Acceptable client certificate CA names\nCN = Clients"))
    }
    try await onThread { try clients.remove() }
  }

  @Test("expired clients get in where the listener says so; revoked ones do not")
  func expiryAndRevocation() async throws {
    let clients = try await onThread { try Clients() }
    let revocations = try await onThread { try clients.revocations() }
    let server = try server()
    try await GateFixture.with { gate in
      let tls = tls(.verify(trustStore: "store", ignoresExpiry: true, advertisesAuthorities: false))
      let port = try await gate.serveTLS(
        targets: [target(server)], tls: tls, trustStores: [.init(id: "store", authorities: clients.authority)])
      #expect(try await curl(port, clients, "old").lines.dropFirst(3).first == "CN=old")
      #expect(try await curl(port, clients, "good").status == 0)
      #expect(try await handshake(port).contains("No client certificate CA names sent"))
      _ = try await gate.serveTLS(
        2, targets: [target(server)], tls: tls,
        trustStores: [.init(id: "store", authorities: clients.authority, revocations: [revocations])])
      #expect(try await curl(port, clients, "good").status != 0)
      #expect(try await curl(port, clients, "old").status == 0)
    }
    try await onThread { try clients.remove() }
  }

  @Test("in passthrough mode every client gets in, and targets see the whole chain")
  func passthrough() async throws {
    let clients = try await onThread { try Clients() }
    let server = try server()
    try await GateFixture.with { gate in
      let port = try await gate.serveTLS(targets: [target(server)], tls: tls(.passthrough))
      for name in ["good", "bad", "old"] {
        let seen = try await curl(port, clients, name)
        let chain = seen.lines[0].replacing("%0A", with: "\n").replacing("%20", with: " ")
        let file = try text(clients.folder + "/\(name).pem")
        #expect(chain == file, "\(name)")
        #expect(seen.lines[3].isEmpty)
      }
      #expect(try await curl(port, clients, nil).lines[0].isEmpty)
    }
    try await onThread { try clients.remove() }
  }

  @Test("a trust store that is missing or unreadable is reported")
  func missing() async throws {
    try await GateFixture.with { gate in
      let tls = tls(.verify(trustStore: "store", ignoresExpiry: false, advertisesAuthorities: false))
      await #expect(throws: TestFailure.self) { try await gate.serveTLS(1, targets: [], tls: tls) }
      await #expect(throws: TestFailure.self) {
        try await gate.serveTLS(2, targets: [], tls: tls, trustStores: [.init(id: "store", authorities: "nonsense")])
      }
      let error = try await gate.client.status().listener("listener")?.error
      #expect(error?.contains("trust store") == true)
    }
  }
}
