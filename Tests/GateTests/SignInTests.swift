// Signing in by OpenID Connect, with a provider that is a server of the test: the test is the browser.
import AWSCore
import Crypto
import FoundationEssentials
import GateProtocol
import Synchronization
import Testing

@testable import GateCore
@testable import GateTokens

@Suite("Sign-in", .timeLimit(.minutes(2)))
struct SignInTests {
  private static let key = [UInt8](repeating: 5, count: 32)

  /// A provider: its token endpoint takes the code `good` with the right credentials, its user info endpoint the token.
  /// The code `short` gives a token that has ended at once, and a refresh token which is good for one use.
  private final class Provider: Sendable {
    let server: TestServer

    init(_ signer: TokenSigner) throws {
      let broken = Box()
      server = try TestServer { message in
        if broken.value.load(ordering: .relaxed) { return "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" }
        func json(_ status: String, _ text: String) -> String {
          "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
        }
        switch message.target {
        case "/token":
          let fields = OIDCProtocol.fields(message.body)
          let refused = json("400 Bad Request", #"{"error":"invalid_grant"}"#)
          guard message["Authorization"] == "Basic " + Data("client:s%2Fcret".utf8).base64EncodedString() else {
            return refused
          }
          if fields["grant_type"] == "refresh_token" {
            guard fields["refresh_token"] == "rt-1", broken.refreshes.add(1, ordering: .relaxed).oldValue == 0 else {
              return refused
            }
            let long = String(repeating: "x", count: 5000)
            return json("200 OK", #"{"access_token":"at-2\#(long)","expires_in":600,"refresh_token":"rt-2"}"#)
          }
          guard let code = fields["code"], ["good", "short"].contains(code),
            fields["grant_type"] == "authorization_code",
            fields["redirect_uri"]?.hasSuffix("/oauth2/idpresponse") == true
          else { return refused }
          let identity = try signer.token(#"{"iss":"https://idp.test","aud":"client","sub":"user-1","exp":4000000000}"#)
          if code == "short" {
            return json(
              "200 OK",
              #"{"access_token":"at-1","expires_in":0,"refresh_token":"rt-1","id_token":"\#(String(decoding: identity, as: UTF8.self))"}"#
            )
          }
          return json(
            "200 OK",
            #"{"access_token":"at-1","token_type":"Bearer","expires_in":600,"id_token":"\#(String(decoding: identity, as: UTF8.self))"}"#
          )
        case "/userinfo" where message["Authorization"]?.hasPrefix("Bearer at-2") == true:
          return json("200 OK", #"{"sub":"user-1","email":"new@shop.test"}"#)
        case "/userinfo" where message["Authorization"] == "Bearer at-1":
          return json("200 OK", #"{"sub":"user-1","email":"u@shop.test"}"#)
        default: return json("404 Not Found", "{}")
        }
      }
      box = broken
    }

    private final class Box: Sendable {
      let value = Atomic<Bool>(false)
      let refreshes = Atomic<Int>(0)
    }
    private let box: Box
    func fail() { box.value.store(true, ordering: .relaxed) }
    var refreshes: Int { box.refreshes.load(ordering: .relaxed) }
  }

  /// - Parameter place: of the provider, when it is named by a host that no resolver knows.
  private func oidc(
    _ provider: Provider, _ unauthenticated: GateSnapshot.OIDC.Unauthenticated = .authenticate,
    place: GateSnapshot.Place? = nil
  ) -> GateSnapshot.Check {
    let base = "http://127.0.0.1:\(provider.server.port)"
    let asked = place == nil ? base : "http://login.shop.test:81"
    return .authenticateOIDC(
      .init(
        issuer: "https://idp.test", authorizationEndpoint: "\(base)/authorize", tokenEndpoint: "\(asked)/token",
        userInfoEndpoint: "\(asked)/userinfo", clientID: "client", clientSecret: "s/cret",
        scope: "openid email", extraParameters: ["display": "page"], onUnauthenticated: unauthenticated,
        tokenPlace: place, userInfoPlace: place))
  }

  private func serve(
    _ gate: GateFixture, _ server: TestServer, _ provider: Provider, place: GateSnapshot.Place? = nil
  ) async throws -> UInt16 {
    let listener = GateSnapshot.Listener(
      id: "l", port: 0,
      rules: [
        .init(
          priority: 1, conditions: [.pathPattern(["/open"])], checks: [oidc(provider, .allow)],
          action: .forward(to: "tg")),
        .init(
          priority: 2, conditions: [.pathPattern(["/shut"])], checks: [oidc(provider, .deny)],
          action: .forward(to: "tg")),
        .init(
          priority: 3, conditions: [.pathPattern(["*"])], checks: [oidc(provider, place: place)],
          action: .forward(to: "tg")),
      ], defaultAction: .fixedResponse(.init(statusCode: 404)))
    let status = try await gate.client.apply(
      GateSnapshot(
        version: 1, loadBalancers: [.init(id: "lb", address: "127.0.0.1", listeners: [listener])],
        targetGroups: [.init(id: "tg", targets: [target(server)], healthCheck: .init(probe: .none))],
        cookieKey: Self.key))
    let port = status.listener("l")?.port
    return try #require(port)
  }

  private func echo() throws -> TestServer {
    try TestServer { message in
      ok(
        ["x-amzn-oidc-identity", "x-amzn-oidc-accesstoken", "x-amzn-oidc-data"].map { message[$0] ?? "-" }
          .joined(separator: " "))
    }
  }

  /// What the browser is sent to the provider with: the state, and its nonce cookie.
  private func begin(_ port: UInt16, _ path: String) async throws -> (state: String, nonce: String) {
    let answer = try await get(port, path)
    #expect(answer.status == 302)
    let location = answer["Location"] ?? ""
    let query = location.split(separator: "?", maxSplits: 1).last.map(String.init) ?? ""
    let fields = OIDCProtocol.fields(query.utf8)
    #expect(location.contains("/authorize?"))
    #expect(fields["client_id"] == "client" && fields["response_type"] == "code" && fields["display"] == "page")
    #expect(fields["scope"] == "openid email" && fields["redirect_uri"] == "http://shop.test/oauth2/idpresponse")
    let cookie = answer["Set-Cookie"]?.split(separator: ";").first.map(String.init)
    return (OIDCProtocol.encoded(try #require(fields["state"])), try #require(cookie))
  }

  @Test("a user is sent to the provider, comes back with a session, and the target is told who it is")
  func signsIn() async throws {
    let provider = try Provider(.shared)
    let server = try echo()
    try await GateFixture.with { gate in
      let port = try await serve(gate, server, provider)
      let (state, nonce) = try await begin(port, "/cart?item=7")
      #expect(server.requests == 0)
      let back = try await get(port, "/oauth2/idpresponse?code=good&state=\(state)", "Cookie: \(nonce)\r\n")
      #expect(back.status == 302 && back["Location"] == "http://shop.test/cart?item=7")
      let cookies = back.all("Set-Cookie")
      #expect(cookies.count == 1 && cookies[0].hasPrefix("AWSELBAuthSessionCookie-0="))
      #expect(cookies[0].contains("HttpOnly") && !cookies[0].contains("at-1"))
      let session = try #require(cookies[0].split(separator: ";").first)
      for _ in 0..<2 {
        let page = try await get(
          port, "/cart?item=7", "Cookie: \(session)\r\nX-Amzn-Oidc-Identity: forged\r\nx-amzn-oidc-extra: forged\r\n")
        let parts = page.text.split(separator: " ").map(String.init)
        #expect(parts.count == 3 && parts[0] == "user-1" && parts[1] == "at-1")
        try check(parts[2])
      }
      // A session that somebody changed is none.
      #expect(try await get(port, "/cart", "Cookie: \(session)x\r\n").status == 302)
      let statistics = try await gate.client.statistics().loadBalancers[0]
      #expect(statistics.signInsSucceeded == 1 && statistics.signInsFailed == 0)
    }
  }

  /// The cookies of a user who came back from the provider with a code.
  private func signIn(_ port: UInt16, code: String) async throws -> String {
    let (state, nonce) = try await begin(port, "/cart")
    let back = try await get(port, "/oauth2/idpresponse?code=\(code)&state=\(state)", "Cookie: \(nonce)\r\n")
    #expect(back.status == 302)
    return cookies(back)
  }

  private func cookies(_ answer: Message) -> String {
    answer.all("Set-Cookie").compactMap { $0.split(separator: ";").first.map(String.init) }.joined(separator: "; ")
  }

  @Test("a token that has ended is had anew before the request goes on, once for all who wait, body and all")
  func refreshes() async throws {
    let provider = try Provider(.shared)
    let server = try TestServer { message in
      ok([message["x-amzn-oidc-accesstoken"].map { String($0.prefix(4)) } ?? "-", message.text].joined(separator: " "))
    }
    try await GateFixture.with(loops: 2) { gate in
      let port = try await serve(gate, server, provider)
      let old = try await signIn(port, code: "short")
      let body = String(repeating: "b", count: 100_000)
      let answers = try await withThrowingTaskGroup(of: Message.self) { group in
        for _ in 0..<4 {
          group.addTask {
            try await exchange(
              port,
              "POST /order HTTP/1.1\r\nHost: shop.test\r\nCookie: \(old)\r\nContent-Length: 100000\r\n\r\n\(body)")
          }
        }
        return try await group.reduce(into: [Message]()) { $0.append($1) }
      }
      for answer in answers {
        #expect(answer.status == 200 && answer.text == "at-2 \(body)")
        // The token is long now: two cookies.
        #expect(answer.all("Set-Cookie").count == 2)
      }
      #expect(provider.refreshes == 1)
      // With the new cookies nobody is asked; an hour later with the old ones the provider says no: the user signs in.
      let page = try await get(port, "/cart", "Cookie: \(cookies(answers[0]))\r\n")
      #expect(page.text == "at-2 " && page["Set-Cookie"] == nil)
      #expect(provider.refreshes == 1)
      let statistics = try await gate.client.statistics().loadBalancers[0]
      #expect(statistics.signInsSucceeded == 1 && statistics.signInsRefreshed == 1)
    }
  }

  @Test("a user whose token is not renewed signs in again; cookies that the new session does not need are taken away")
  func refreshRefused() async throws {
    let provider = try Provider(.shared)
    let server = try echo()
    try await GateFixture.with { gate in
      let port = try await serve(gate, server, provider)
      let old = try await signIn(port, code: "short")
      provider.fail()
      let answer = try await get(port, "/cart?item=9", "Cookie: \(old)\r\n")
      #expect(answer.status == 302 && answer["Location"]?.contains("/authorize?") == true)
      #expect(server.requests == 0)
      // What the browser has of a longer session would be read as this one's end.
      let other = try Provider(.shared)
      let second = try await serve(gate, server, other)
      let (state, nonce) = try await begin(second, "/cart")
      let more = "AWSELBAuthSessionCookie-0=a; AWSELBAuthSessionCookie-1=b; AWSELBAuthSessionCookie-2=c"
      let back = try await get(
        second, "/oauth2/idpresponse?code=good&state=\(state)", "Cookie: \(nonce); \(more)\r\n")
      let lines = back.all("Set-Cookie")
      #expect(lines.count == 3 && lines[1].hasPrefix("AWSELBAuthSessionCookie-1=; Expires=Thu, 01 Jan 1970"))
    }
  }

  private func check(_ token: String) throws {
    let signer = try #require(IdentitySigner(secret: Self.key))
    let parts = token.split(separator: ".").map { part in
      Base64URL.decode(Array(part.utf8).filter { $0 != UInt8(ascii: "=") }) ?? []
    }
    #expect(parts.count == 3)
    let key = try P256.Signing.PublicKey(pemRepresentation: signer.publicKey)
    let signed = token.split(separator: ".").dropLast().joined(separator: ".")
    let signature = try P256.Signing.ECDSASignature(rawRepresentation: parts[2])
    #expect(key.isValidSignature(signature, for: SHA256.hash(data: Array(signed.utf8))))
    let head = try JSONDecoder().decode(JSONValue.self, from: Data(parts[0]))
    #expect(head["kid"]?.text == signer.keyID && head["signer"]?.text == "lb" && head["client"]?.text == "client")
    let claims = try JSONDecoder().decode(JSONValue.self, from: Data(parts[1]))
    #expect(claims["email"]?.text == "u@shop.test" && claims["iss"]?.text == "https://idp.test")
  }

  @Test("without a session a rule may let the user pass, or refuse with 401")
  func unauthenticated() async throws {
    let provider = try Provider(.shared)
    let server = try echo()
    try await GateFixture.with { gate in
      let port = try await serve(gate, server, provider)
      #expect(try await get(port, "/open", "x-amzn-oidc-identity: forged\r\n").text == "- - -")
      #expect(try await get(port, "/shut").status == 401)
    }
  }

  @Test("a provider is asked where the configuration says it is, whatever resolvers know, and not when it is nowhere")
  func placed() async throws {
    let provider = try Provider(.shared)
    let server = try echo()
    try await GateFixture.with { gate in
      let port = try await serve(gate, server, provider, place: .at(host: "127.0.0.1", port: provider.server.port))
      let session = try await signIn(port, code: "good")
      #expect(try await get(port, "/cart", "Cookie: \(session)\r\n").text.hasPrefix("user-1 at-1 "))
      let lost = try await serve(gate, server, provider, place: .nowhere)
      let (state, nonce) = try await begin(lost, "/cart")
      let back = try await get(lost, "/oauth2/idpresponse?code=good&state=\(state)", "Cookie: \(nonce)\r\n")
      #expect(back.status == 500)
    }
  }

  @Test("what does not fit together is refused: 401, 561 for the provider's no, 500 when it cannot be asked")
  func refused() async throws {
    let provider = try Provider(.shared)
    let server = try echo()
    try await GateFixture.with { gate in
      let port = try await serve(gate, server, provider)
      let (state, nonce) = try await begin(port, "/x")
      func back(_ query: String, _ cookie: String) async throws -> Int {
        try await get(port, "/oauth2/idpresponse?\(query)", "Cookie: \(cookie)\r\n").status
      }
      #expect(try await back("code=good", nonce) == 401)
      #expect(try await back("code=good&state=AAAA", nonce) == 401)
      #expect(try await back("code=good&state=\(state)", "AWSALBAuthNonce=other") == 401)
      #expect(try await back("state=\(state)", nonce) == 401)
      #expect(try await back("error=access_denied&state=\(state)", nonce) == 401)
      #expect(try await back("error=server_error&state=\(state)", nonce) == 561)
      #expect(try await back("code=bad&state=\(state)", nonce) == 561)
      provider.fail()
      #expect(try await back("code=good&state=\(state)", nonce) == 500)
      provider.server.kill()
      #expect(try await back("code=good&state=\(state)", nonce) == 500)
      #expect(server.requests == 0)
    }
  }

  @Test("a client that leaves while the provider is asked disturbs nobody")
  func leaves() async throws {
    let asked = EndBox()
    let release = EndBox()
    let provider = try TestServer { _ in
      asked.end()
      release.waitBlocking()
      return ""
    }
    let server = try echo()
    try await GateFixture.with(loops: 1) { gate in
      let base = "http://127.0.0.1:\(provider.port)"
      let check = GateSnapshot.Check.authenticateOIDC(
        .init(
          issuer: "i", authorizationEndpoint: "\(base)/a", tokenEndpoint: "\(base)/t", userInfoEndpoint: "\(base)/u",
          clientID: "c", clientSecret: "s"))
      let rule = GateSnapshot.Rule(
        priority: 1, conditions: [.pathPattern(["/in", "/oauth2/*"])], checks: [check], action: .forward(to: "tg"))
      let port = try await gate.serve(targets: [target(server)], rules: [rule])
      let first = try await get(port, "/in")
      let query = first["Location"]?.split(separator: "?", maxSplits: 1).last.map(String.init) ?? ""
      let state = OIDCProtocol.encoded(OIDCProtocol.fields(query.utf8)["state"] ?? "")
      let nonce = first["Set-Cookie"]?.split(separator: ";").first.map(String.init) ?? ""
      try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send(
          "GET /oauth2/idpresponse?code=c&state=\(state) HTTP/1.1\r\nHost: shop.test\r\nCookie: \(nonce)\r\n\r\n")
        asked.waitBlocking()
        socket.setReset()
      }
      #expect(try await eventually { try await gate.client.statistics().loadBalancers[0].clientAborts == 1 })
      release.end()
      #expect(try await get(port, "/other").status == 200)
    }
  }
}
