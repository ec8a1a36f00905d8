// The table of sources: bounded, exact while it has room, and quick to forget.
import Testing
import TrafficBaseline

@testable import GateCore

@Suite("Sources of a load balancer")
struct SourceTableTests {
  @Test("connections are counted by source, and each is reported once")
  func counts() throws {
    let table = SourceTable(seed: 1)
    var slots: [Int32] = []
    for number in 0..<1000 {
      slots.append(try #require(table.enter(UInt32(number % 100), fairShare: .max, now: 1)))
    }
    #expect(table.sourcesOpen == 100)
    #expect(table.admitsRequest(slots[0], now: 2))
    let report = table.report()
    #expect(report.count == 100)
    #expect(report.allSatisfy { $0.connections == 10 && $0.open == 10 })
    #expect(report.reduce(0) { $0 + $1.requests } == 1)
    #expect(table.report().isEmpty)
    for slot in slots { table.leave(slot) }
    #expect(table.sourcesOpen == 0)
  }

  @Test("it stays bounded under a stream of new sources, and sources with connections are never forgotten")
  func bounded() throws {
    let table = SourceTable(seed: 2)
    let kept = try #require(table.enter(7, fairShare: .max, now: 0))
    for number in 0..<(SourceTable.capacityMax * 2) {
      if let slot = table.enter(UInt32(1000 + number), fairShare: .max, now: UInt64(number)) { table.leave(slot) }
      if number % 1000 == 0 { _ = table.report() }
    }
    #expect(table.count <= SourceTable.capacityMax)
    #expect(table.find(7) == kept)
    #expect(table.entries[Int(kept)].open == 1)
  }

  @Test("limits hold for strangers at once and not for those who are known")
  func mitigations() throws {
    let table = SourceTable(seed: 3)
    let known = try #require(table.enter(1, fairShare: .max, now: 0))
    let stranger = try #require(table.enter(2, fairShare: .max, now: 0))
    var mitigations = Mitigations()
    mitigations.known = [1]
    mitigations.strangers = SourceLimit(requestsPerSecond: 1, connectionsMax: 1)
    mitigations.held = [3: 100]
    table.apply(mitigations, now: 1_000_000)
    let results = (0..<30).map { _ in table.admitsRequest(stranger, now: 1_000_000) }
    #expect(results.filter { $0 }.count == 20)
    #expect((0..<1000).allSatisfy { _ in table.admitsRequest(known, now: 1_000_000) })
    #expect(table.admitsRequest(stranger, now: 2_500_000))
    #expect(table.enter(2, fairShare: .max, now: 2_500_000) == nil)
    #expect(table.enter(3, fairShare: .max, now: 2_500_000) == nil)
    #expect(table.enter(3, fairShare: .max, now: 101_000_000) != nil)
    table.apply(Mitigations(), now: 3_000_000)
    #expect(table.enter(2, fairShare: .max, now: 3_000_000) != nil)
    #expect((0..<1000).allSatisfy { _ in table.admitsRequest(stranger, now: 3_000_000) })
  }

  @Test("the strangers of a network share its limit")
  func network() throws {
    let table = SourceTable(seed: 4)
    var mitigations = Mitigations()
    mitigations.prefixes = [0x0A00_0100: SourceLimit(requestsPerSecond: 1)]
    table.apply(mitigations, now: 0)
    var served = 0
    for number in 0..<200 {
      let slot = try #require(table.enter(0x0A00_0100 + UInt32(number), fairShare: .max, now: 1))
      if table.admitsRequest(slot, now: 1) { served += 1 }
    }
    #expect(served == 40)
    let other = try #require(table.enter(0x0A00_0201, fairShare: .max, now: 1))
    #expect((0..<100).allSatisfy { _ in table.admitsRequest(other, now: 1) })
  }

  @Test("strangers share what they have together, and who is known does not wait behind them")
  func together() throws {
    let table = SourceTable(seed: 6)
    var mitigations = Mitigations()
    mitigations.known = [1]
    mitigations.strangersTogether = SourceLimit(requestsPerSecond: 100)
    table.apply(mitigations, now: 1)
    var served = 0
    for number in 0..<200 {
      let slot = try #require(table.enter(UInt32(1000 + number), fairShare: .max, now: 1))
      if table.admitsRequest(slot, now: 1) { served += 1 }
    }
    #expect(served == 30)
    let known = try #require(table.enter(1, fairShare: .max, now: 1))
    #expect((0..<1000).allSatisfy { _ in table.admitsRequest(known, now: 1) })
  }

  @Test("in peace one stranger may have as much as it likes, until others need it")
  func oneStranger() throws {
    let table = SourceTable(seed: 7)
    var mitigations = Mitigations()
    mitigations.known = [1]
    mitigations.strangersTogether = SourceLimit(
      requestsPerSecond: 100, connectionsPerSecond: 100, datagramsPerSecond: 100)
    table.apply(mitigations, now: 1)
    let slot = try #require(table.enter(2, fairShare: .max, now: 1))
    for _ in 0..<10 {
      #expect((0..<1000).allSatisfy { _ in table.admitsRequest(slot, now: 1) })
      #expect((0..<1000).allSatisfy { _ in table.admitsDatagram(slot, now: 1) })
      #expect((0..<100).allSatisfy { _ in table.enter(2, fairShare: .max, now: 1) != nil })
      // It takes nothing from another one.
      let other = try #require(table.enter(3, fairShare: .max, now: 1))
      #expect(table.admitsRequest(other, now: 1))
      _ = table.report()
    }
    mitigations.holdsStrangers = true
    table.apply(mitigations, now: 2)
    #expect((0..<1000).filter { _ in table.admitsRequest(slot, now: 2) }.count <= 30)
    let known = try #require(table.enter(1, fairShare: .max, now: 2))
    #expect((0..<1000).allSatisfy { _ in table.admitsRequest(known, now: 2) })
    mitigations.holdsStrangers = false
    table.apply(mitigations, now: 3)
    #expect((0..<1000).allSatisfy { _ in table.admitsRequest(slot, now: 3) })
  }

  @Test("a source that offends again and again is held for ten seconds, unless nobody else is there")
  func offences() throws {
    let table = SourceTable(seed: 5)
    let first = try #require(table.enter(1, fairShare: .max, now: 0))
    for _ in 0..<10 { table.penalise(first, .rapidReset, now: 1) }
    #expect(!table.isHeld(first, now: 2))
    _ = try #require(table.enter(2, fairShare: .max, now: 0))
    for _ in 0..<3 { table.penalise(first, .rapidReset, now: 3) }
    #expect(table.isHeld(first, now: 4))
    #expect(!table.admitsRequest(first, now: 4))
    #expect(table.enter(1, fairShare: .max, now: 4) == nil)
    #expect(table.enter(1, fairShare: .max, now: 10_000_010) != nil)
  }
}
