// The client that asks identity providers: limits of time and size, whatever the other side does.
import Testing

@testable import Fetch
@testable import GateCore

@Suite("Fetching", .timeLimit(.minutes(1)))
struct FetchTests {
  @Test("a server that says nothing, stalls inside its answer or its handshake costs no more than the time allowed")
  func slow() async throws {
    let end = EndBox()
    let silent = try TestServer { socket, _ in
      _ = try socket.receive()
      end.waitBlocking()
    }
    let stalls = try TestServer { socket, _ in
      _ = try socket.receive()
      try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
      end.waitBlocking()
    }
    for url in [
      "http://127.0.0.1:\(silent.port)/", "http://127.0.0.1:\(stalls.port)/", "https://127.0.0.1:\(silent.port)/",
    ] {
      let outcome = await HTTPFetch.answer(to: FetchRequest(url: url, timeLimit: 0.2))
      guard case .timedOut = outcome else {
        Issue.record("\(url): \(outcome)")
        continue
      }
    }
    for _ in 0..<3 { end.end() }
  }

  @Test("an answer that is too large is not taken; one that is cut off is none")
  func sizes() async throws {
    let body = String(repeating: "x", count: 100_000)
    let large = try TestServer { _ in "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)" }
    let url = "http://127.0.0.1:\(large.port)/"
    guard case .tooLarge = await HTTPFetch.answer(to: FetchRequest(url: url)) else { throw TestFailure("it was taken") }
    let whole = await HTTPFetch.answer(to: FetchRequest(url: url, answerMax: 200_000))
    guard case .answered(200, let bytes) = whole, bytes.count == 100_000 else { throw TestFailure("\(whole)") }
    let cut = try TestServer { socket, _ in
      _ = try socket.receive()
      try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    }
    let half = await HTTPFetch.answer(to: FetchRequest(url: "http://127.0.0.1:\(cut.port)/"))
    guard case .failed = half else { throw TestFailure("\(half)") }
    for url in ["", "ftp://127.0.0.1/", "http://127.0.0.1:x/", "http://:80/"] {
      guard case .failed = await HTTPFetch.answer(to: FetchRequest(url: url)) else { throw TestFailure(url) }
    }
  }

  @Test("a host whose place is told is asked there, under its own name")
  func placed() async throws {
    let server = try TestServer { message in ok(message["Host"] ?? "") }
    let url = "http://login.shop.test:81/"
    let there = await HTTPFetch.answer(
      to: FetchRequest(url: url, place: .at(host: "127.0.0.1", port: server.port)))
    guard case .answered(200, let body) = there else { throw TestFailure("\(there)") }
    #expect(String(decoding: body, as: UTF8.self) == "login.shop.test:81")
    let nowhere = await HTTPFetch.answer(
      to: FetchRequest(url: "http://127.0.0.1:\(server.port)/", place: .nowhere))
    guard case .failed("no address of 127.0.0.1") = nowhere else { throw TestFailure("\(nowhere)") }
  }
}
