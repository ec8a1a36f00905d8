// Time, names, identifiers and the manual clock.

import AWSCore
import Testing

@Suite("Timestamps")
struct TimestampTests {
  @Test(
    "an instant is written in each of the wire's formats",
    arguments: [
      (0, "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT", "19700101T000000Z"),
      (1_795_404_969_000, "2026-11-23T03:36:09Z", "Mon, 23 Nov 2026 03:36:09 GMT", "20261123T033609Z"),
      (951_782_400_000, "2000-02-29T00:00:00Z", "Tue, 29 Feb 2000 00:00:00 GMT", "20000229T000000Z"),
      (-1000, "1969-12-31T23:59:59Z", "Wed, 31 Dec 1969 23:59:59 GMT", "19691231T235959Z"),
    ])
  func formats(_ milliseconds: Int, _ iso: String, _ http: String, _ basic: String) {
    let time = Timestamp(milliseconds: Int64(milliseconds))
    #expect(time.iso8601 == iso)
    #expect(time.httpDate == http)
    #expect(time.basic == basic)
    #expect(Timestamp(iso8601: iso) == time)
    #expect(Timestamp(httpDate: http) == time)
    #expect(Timestamp(iso8601: basic) == time)
  }

  @Test("fractions and offsets are read, nonsense is not")
  func reads() {
    #expect(Timestamp(iso8601: "2026-11-23T03:36:09.25Z")?.milliseconds == 1_795_404_969_250)
    #expect(Timestamp(iso8601: "2026-11-23T05:36:09+02:00")?.milliseconds == 1_795_404_969_000)
    #expect(Timestamp(iso8601: "2026-11-23")?.iso8601 == "2026-11-23T00:00:00Z")
    for text in ["", "2026", "2026-13-01T00:00:00Z", "2026-11-23T25:00:00Z", "2026-11-23T03:36:09.Z", "tomorrow"] {
      #expect(Timestamp(iso8601: text) == nil, "\(text)")
    }
  }

  @Test("milliseconds are always there where query services want them")
  func milliseconds() {
    #expect(Timestamp(milliseconds: 0).iso8601Milliseconds == "1970-01-01T00:00:00.000Z")
    #expect(Timestamp(milliseconds: 7).iso8601Milliseconds == "1970-01-01T00:00:00.007Z")
  }

  @Test("every day of four centuries comes back from its calendar fields")
  func days() {
    for day in stride(from: -80_000, through: 80_000, by: 37) {
      let time = Timestamp(milliseconds: Int64(day) * 86_400_000)
      #expect(Timestamp(time.civil) == time)
    }
  }
}

@Suite("Names and identifiers")
struct NameTests {
  @Test("an ARN comes apart and together again")
  func arns() throws {
    let text = "arn:aws:secretsmanager:us-east-1:000000000000:secret:app/db-x1Y2z3"
    let arn = try #require(ARN(text))
    #expect(arn.service == "secretsmanager")
    #expect(arn.resource == "secret:app/db-x1Y2z3")
    #expect(arn.description == text)
    #expect(ARN("arn:aws:s3") == nil)
    #expect(ARN("urn:aws:s3:::bucket") == nil)
  }

  @Test("identifiers have AWS's forms and differ")
  func identifiers() {
    let ids = SystemIdentifiers()
    #expect(ids.ec2("vpc").count == 21)
    #expect(ids.uuid().count == 36)
    #expect(Array(ids.uuid())[14] == "4")
    #expect(ids.alphanumeric(6).count == 6)
    #expect(Set((0..<1000).map { _ in ids.hex(16) }).count == 1000)
  }

  @Test("JSON is written compactly, with sorted keys and escaped text")
  func json() {
    let value: JSONValue = ["b": [1, true, .null], "a": "x\"\n\u{1}"]
    #expect(value.description == #"{"a":"x\"\n\u0001","b":[1,true,null]}"#)
    #expect(value["b"]?.array?.count == 3)
  }
}

@Suite("The manual clock")
struct ManualClockTests {
  @Test("a sleeper wakes when the clock is moved past its time, and not before")
  func wakes() async throws {
    let clock = ManualClock(Timestamp(milliseconds: 0))
    // The instant is fixed first: the task may begin before the clock is moved, or after.
    let deadline = clock.now.adding(days: 30)
    let sleeper = Task { try await clock.sleep(until: deadline) }
    clock.advance(seconds: 40 * 86_400)
    try await sleeper.value
    #expect(clock.now == Timestamp(milliseconds: 40 * 86_400_000))
  }

  @Test("a cancelled sleeper is let go")
  func cancels() async {
    let clock = ManualClock()
    let sleeper = Task { try await clock.sleep(seconds: 60) }
    sleeper.cancel()
    await #expect(throws: CancellationError.self) { try await sleeper.value }
  }
}
