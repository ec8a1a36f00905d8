// Attacks and innocent texts: what the detectors find, and how often they are wrong.

import Testing

@testable import WebACL

@Suite("Detectors")
struct DetectorTests {
  @Test("SQL injection is found")
  func sqlAttacks() {
    let detector = SQLInjectionDetector()
    let low = Corpus.sqlAttacks.filter { !detector.isAttack($0, isSensitive: false) }
    let high = Corpus.sqlAttacks.filter { !detector.isAttack($0, isSensitive: true) }
    #expect(low.count * 100 <= 5 * Corpus.sqlAttacks.count, "missed: \(low)")
    #expect(high.isEmpty, "missed: \(high)")
  }

  @Test("what only looks like SQL passes")
  func sqlInnocent() {
    let detector = SQLInjectionDetector()
    let low = Corpus.innocent.filter { detector.isAttack($0, isSensitive: false) }
    let high = Corpus.innocent.filter { detector.isAttack($0, isSensitive: true) }
    #expect(low.isEmpty, "taken for attacks: \(low)")
    #expect(high.count * 100 <= 5 * Corpus.innocent.count, "taken for attacks: \(high)")
  }

  @Test("of more texts, written later, almost all attacks are found, and almost nothing else is")
  func heldOut() {
    let detector = SQLInjectionDetector()
    let scripts = CrossSiteScriptingDetector()
    let missed = Corpus.held.sql.filter { !detector.isAttack($0, isSensitive: false) }
    let missedHigh = Corpus.held.sql.filter { !detector.isAttack($0, isSensitive: true) }
    let wrong = Corpus.held.innocent.filter { detector.isAttack($0, isSensitive: false) }
    let wrongHigh = Corpus.held.innocent.filter { detector.isAttack($0, isSensitive: true) }
    let missedScripts = Corpus.held.scripts.filter { !scripts.isAttack($0) }
    let wrongScripts = Corpus.held.innocent.filter { scripts.isAttack($0) }
    #expect(missed.count <= 2 && missedHigh.count <= 1, "missed: \(missed)")
    #expect(wrong.isEmpty && wrongHigh.count <= 2, "taken for attacks: \(wrong) \(wrongHigh)")
    #expect(missedScripts.count <= 1 && wrongScripts.isEmpty, "\(missedScripts) \(wrongScripts)")
  }

  @Test("cross-site scripting is found, and other markup passes")
  func scripts() {
    let detector = CrossSiteScriptingDetector()
    let missed = Corpus.scripts.filter { !detector.isAttack($0) }
    let wrong = Corpus.innocent.filter { detector.isAttack($0) }
    #expect(missed.isEmpty, "missed: \(missed)")
    #expect(wrong.isEmpty, "taken for attacks: \(wrong)")
  }
}
