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

  @Test(
    "each window counts for its whole length and no longer than a twelfth more, however the requests are spread",
    arguments: [60, 120, 300, 600])
  func windows(length: Int) throws {
    let evaluator = try evaluator(.init(limit: 100, window: length))
    var board = RateBoard(try #require(evaluator.acl.rateRules.first))
    let start = UInt64(1_000_000)
    let window = UInt64(length)
    // As many as the limit, evenly over the window: not one too many at any time, however long it goes on.
    let steady = Trial(source: "192.0.2.1")
    for step in 0..<(3 * window / 12) {
      // In the middle of a twelfth's time, so that the edges are not what is tested.
      let wanted = (step + 1) * 12 * 90 / window - step * 12 * 90 / window
      for _ in 0..<wanted { #expect(try !steady.judge(evaluator).isBlocked) }
      exchange(evaluator, &board, at: start + step * 12)
    }
    let end = start + 3 * window
    exchange(evaluator, &board, at: end + 2 * window)
    // All at once: over the limit at once, for as long as the window reaches back.
    let burst = Trial(source: "192.0.2.2")
    let began = end + 2 * window
    for _ in 0..<101 { _ = try burst.judge(evaluator) }
    exchange(evaluator, &board, at: began)
    #expect(try burst.judge(evaluator).isBlocked)
    // What it asks while it is held back counts, so it is not asked again before the end.
    exchange(evaluator, &board, at: began + window - window / 12 - 1)
    #expect(board.limitedAddresses.map(\.text) == ["192.0.2.2"])
    exchange(evaluator, &board, at: began + window + window / 12)
    #expect(board.limitedAddresses.isEmpty)
    #expect(try !burst.judge(evaluator).isBlocked)
  }

  @Test("the same requests are over the limit in a long window and not in a short one")
  func longAndShort() throws {
    var limited: [Int] = []
    for length in [60, 120, 300, 600] {
      let evaluator = try evaluator(.init(limit: 100, window: length))
      var board = RateBoard(try #require(evaluator.acl.rateRules.first))
      let client = Trial(source: "192.0.2.1")
      // Twelve in each half minute, for ten minutes: 24, 48, 120 and 240 in the windows.
      for step in 0..<20 {
        for _ in 0..<12 { _ = try client.judge(evaluator) }
        exchange(evaluator, &board, at: UInt64(1_000_000 + step * 30))
      }
      if !board.limited.isEmpty { limited.append(length) }
    }
    #expect(limited == [300, 600])
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
