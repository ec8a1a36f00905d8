// What faces the network beside the head parser: tokens, cookies, queries, answers of identity providers, transforms.
// Random and slightly damaged inputs must be refused, never crash, and never be taken for good.
import GateProtocol
import GateTokens
import HTTPWire
import Testing

@testable import Fetch
@testable import GateCore

@Suite("Policy parsers under random input")
struct PolicyFuzzTests {
  @Test("a damaged token is never good")
  func tokens() throws {
    let signer = TokenSigner.shared
    let validator = TokenValidator(issuer: "i", keySet: signer.keySet, claims: [])
    let good = try signer.token(#"{"iss":"i","exp":2000}"#, algorithm: "ES256")
    var random = Seeded(21)
    for _ in 0..<100 {
      var token = good
      // The last digit of a signature has bits that mean nothing, so it is left alone.
      let place = Int(random.next() % UInt64(token.count - 2))
      let byte = UInt8(truncatingIfNeeded: 33 + random.next() % 94)
      if token[place] == byte { continue }
      token[place] = byte
      let outcome = Result { try validator.validate(token, now: 1) }
      if case .success = outcome { Issue.record("byte \(place) changed to \(byte)") }
    }
    for _ in 0..<300 {
      let token = (0..<(random.next() % 60)).map { _ in Array("abc.=_-{}\"".utf8)[Int(random.next() % 10)] }
      let outcome = Result { try validator.validate(token, now: 1) }
      if case .success = outcome { Issue.record("\(token)") }
    }
  }

  @Test("cookies are found in whatever a Cookie line holds")
  func cookies() {
    var random = Seeded(22)
    var found = 0
    for _ in 0..<1500 {
      let noise = String(
        decoding: (0..<(random.next() % 30)).map { _ in Array("AWSLB=; \"ab,".utf8)[Int(random.next() % 12)] },
        as: UTF8.self)
      let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\nCookie: \(noise)\r\n\r\n".utf8)
      var head = MessageHead()
      let value = bytes.withUnsafeBufferPointer { buffer -> String? in
        guard let base = buffer.baseAddress, case .complete = head.parseRequest(base, bytes.count) else { return nil }
        return CookieJar.cookie(named: Array("A".utf8), head, base).map { String(decoding: $0, as: UTF8.self) }
      }
      // A slower reading of the same rule.
      let expected = noise.split(separator: ";").lazy
        .map { $0.drop { $0 == " " } }.first { $0.hasPrefix("A=") }.map { String($0.dropFirst(2)) }
      let trimmed = expected.map { String($0.reversed().drop { $0 == " " }.reversed()) }
      #expect(value == expected || value == trimmed, "\(noise)")
      if value != nil { found += 1 }
    }
    #expect(found > 5)
  }

  @Test("answers of a provider are read alike however they are cut, and damaged ones end")
  func answers() {
    let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    let bytes = Array(text.utf8)
    for count in 0..<bytes.count {
      var answer = FetchAnswer()
      #expect(answer.read(Array(bytes[..<count]), isEnd: false) == .incomplete)
      #expect(answer.read(Array(bytes[..<count]), isEnd: true) == .broken)
    }
    var answer = FetchAnswer()
    #expect(answer.read(bytes, isEnd: false) == .complete)
    #expect(answer.status == 200 && answer.body == Array("hello world".utf8))
    var random = Seeded(23)
    for _ in 0..<500 {
      var damaged = bytes
      damaged[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      var answer = FetchAnswer()
      #expect(answer.read(damaged, isEnd: true) != .incomplete)
    }
  }

  @Test("damaged key sets and tokens are refused, or harm nobody")
  func keySets() throws {
    let signer = TokenSigner.shared
    let set = Array(signer.keySet.utf8)
    let token = try signer.token(#"{"iss":"i","exp":4000000000,"aud":["a","b"]}"#)
    let claims = [TokenClaim(name: "aud", format: .stringArray, values: ["a"])]
    let good = TokenValidator(issuer: "i", keySet: signer.keySet, claims: claims)
    #expect(try good.validate(token, now: 1) == 4_000_000_000)
    var random = Seeded(25)
    for _ in 0..<400 {
      var damaged = set
      for _ in 0...(random.next() % 3) {
        damaged[Int(random.next() % UInt64(set.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      damaged.removeLast(Int(random.next() % 4))
      let validator = TokenValidator(issuer: "i", keySet: String(decoding: damaged, as: UTF8.self), claims: claims)
      _ = validator.wantsOtherKeys(token)
      _ = Result { () throws(TokenProblem) in try validator.validate(token, now: 1) }
      var forged = token
      let place = Int(random.next() % UInt64(token.count))
      forged[place] = UInt8(truncatingIfNeeded: random.next())
      if forged != token {
        #expect(throws: TokenProblem.self, "byte \(place)") { try good.validate(forged, now: 1) }
      }
    }
  }

  @Test("queries are taken apart without harm")
  func queries() {
    #expect(
      OIDCProtocol.fields("a=b%20c&d=%e2%82%ac&a=x&e&=f&g=1+2".utf8) == [
        "a": "b c", "d": "€", "e": "", "": "f", "g": "1 2",
      ])
    var random = Seeded(24)
    for _ in 0..<500 {
      let query = (0..<(random.next() % 40)).map { _ in Array("a=&%2+f;".utf8)[Int(random.next() % 8)] }
      #expect(OIDCProtocol.fields(query).count <= query.count + 1)
    }
  }
}
