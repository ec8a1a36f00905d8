// Rates: what is counted, over which window, and that floods of keys take no memory.

import Testing

@testable import WebACL

@Suite("Rates of web ACLs")
struct RateTests {
  private func evaluator(_ rate: WebACL.Rate) throws -> WebACLEvaluator {
    WebACLEvaluator(try CompiledWebACL(WebACL(id: "a", rules: [.init(name: "r", priority: 0, .rate(rate), .block())])))
  }

  /// Tells the evaluator's counts to a board and the board's limits to the evaluator.
  private func exchange(_ evaluator: WebACLEvaluator, _ board: inout RateBoard, at seconds: UInt64) {
    for (_, counts) in evaluator.drainRates() { board.add(counts, now: seconds * 1_000_000) }
    if board.update(now: seconds * 1_000_000) { evaluator.setLimited(board.limited, rule: board.rule.id) }
  }

  @Test("a source over the limit is held back until the window has passed it")
  func window() throws {
    let evaluator = try evaluator(.init(limit: 10, window: 60))
    var board = RateBoard(try #require(evaluator.acl.rateRules.first))
    let (fast, slow) = (Trial(source: "192.0.2.1"), Trial(source: "192.0.2.2"))
    for _ in 0..<11 { _ = try fast.judge(evaluator) }
    for _ in 0..<10 { _ = try slow.judge(evaluator) }
    exchange(evaluator, &board, at: 1000)
    #expect(try fast.judge(evaluator).isBlocked)
    #expect(try !slow.judge(evaluator).isBlocked)
    #expect(board.limitedAddresses.map(\.text) == ["192.0.2.1"])
    // The eleventh of the slow one was counted too.
    exchange(evaluator, &board, at: 1001)
    #expect(try slow.judge(evaluator).isBlocked)
    exchange(evaluator, &board, at: 1030)
    #expect(try fast.judge(evaluator).isBlocked)
    exchange(evaluator, &board, at: 1200)
    #expect(try !fast.judge(evaluator).isBlocked)
    exchange(evaluator, &board, at: 2000)
    #expect(board.keyCount <= 1)
  }

  @Test("custom keys, constant keys and scope-down say what is counted together")
  func keys() throws {
    let header = try evaluator(.init(limit: 10, keys: [.header("x-user", [.lowercase]), .method]))
    var board = RateBoard(try #require(header.acl.rateRules.first))
    for name in ["Ann", "ANN"] {
      for _ in 0..<6 { _ = try Trial(headers: [("X-User", name)]).judge(header) }
    }
    for _ in 0..<20 { _ = try Trial().judge(header) }
    exchange(header, &board, at: 1)
    #expect(try Trial(headers: [("x-user", "ann")]).judge(header).isBlocked)
    #expect(try !Trial(method: "PUT", headers: [("x-user", "ann")]).judge(header).isBlocked)
    #expect(try !Trial().judge(header).isBlocked)
    let scope = WebACL.Statement.byteMatch(.init(.uriPath), .startsWith, Array("/login".utf8))
    let constant = try evaluator(.init(limit: 10, keys: [], scopeDown: scope))
    board = RateBoard(try #require(constant.acl.rateRules.first))
    for index in 0..<11 { _ = try Trial(source: "192.0.2.\(index)", path: "/login").judge(constant) }
    exchange(constant, &board, at: 1)
    #expect(try Trial(source: "198.51.100.1", path: "/login").judge(constant).isBlocked)
    #expect(try !Trial(source: "192.0.2.1", path: "/").judge(constant).isBlocked)
  }

  @Test("forwarded addresses are counted where the header is there")
  func forwarded() throws {
    let evaluator = try evaluator(
      .init(limit: 10, keys: [.forwardedIP], forwardedIP: .init(header: "X-Forwarded-For", fallback: true)))
    var board = RateBoard(try #require(evaluator.acl.rateRules.first))
    for _ in 0..<11 { _ = try Trial(headers: [("x-forwarded-for", "203.0.113.9, 10.0.0.1")]).judge(evaluator) }
    exchange(evaluator, &board, at: 1)
    #expect(try Trial(headers: [("x-forwarded-for", "203.0.113.9")]).judge(evaluator).isBlocked)
    #expect(try !Trial(headers: [("x-forwarded-for", "203.0.113.8")]).judge(evaluator).isBlocked)
    #expect(try Trial(headers: [("x-forwarded-for", "none")]).judge(evaluator).isBlocked)
    #expect(try !Trial().judge(evaluator).isBlocked)
  }

  @Test("a flood of new keys keeps within bounds, and heavy ones among them are still found")
  func floods() {
    let rule = RateRuleDescription(
      id: "r", limit: 100, window: 60, isByAddress: false, webACL: "a", ruleName: "r", groupRuleName: nil)
    var board = RateBoard(rule)
    var random: UInt64 = 88_172_645_463_325_252
    for round in 0..<20 {
      var table = RateTable(hasAddresses: false)
      for turn in 0..<20_000 {
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        table.count(random, nil)
        if turn % 1000 == 0 { table.count(4711, nil) }
      }
      let counts = table.drain()
      #expect(counts.count <= 16_384)
      board.add(counts, now: UInt64(round) * 1_000_000)
      #expect(board.keyCount <= RateBoard.keysMax)
    }
    let hasChanged = board.update(now: 20_000_000)
    #expect(hasChanged)
    #expect(board.limited == [4711])
  }
}
