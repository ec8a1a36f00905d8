// An instant as AWS writes it: the four formats of the wire, and nothing of calendars beyond them.

/// An instant, in whole milliseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
  /// Milliseconds since the Unix epoch.
  public var milliseconds: Int64

  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  /// - Parameter seconds: seconds since the Unix epoch, fractions kept to the millisecond. Values that do not fit
  ///   (and NaN) are clamped.
  public init(seconds: Double) {
    let scaled = (seconds * 1000).rounded()
    self.milliseconds = scaled.isNaN ? 0 : Int64(max(-9.0e15, min(9.0e15, scaled)))
  }

  /// Seconds since the Unix epoch.
  public var seconds: Double { Double(milliseconds) / 1000 }

  public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

  public init(from decoder: any Decoder) throws {
    milliseconds = try decoder.singleValueContainer().decode(Int64.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(milliseconds)
  }

  /// This instant moved by so many seconds.
  public func adding(seconds: Double) -> Timestamp {
    Timestamp(milliseconds: milliseconds + Int64((seconds * 1000).rounded()))
  }

  /// This instant moved by so many days of 86,400 seconds.
  public func adding(days: Int) -> Timestamp { Timestamp(milliseconds: milliseconds + Int64(days) * 86_400_000) }

  public var description: String { iso8601 }
}

// MARK: - Civil fields

extension Timestamp {
  /// The instant's UTC calendar fields (proleptic Gregorian).
  public struct Civil: Sendable, Hashable {
    public var year: Int
    public var month: Int
    public var day: Int
    public var hour: Int
    public var minute: Int
    public var second: Int
    public var millisecond: Int
    /// 0 is Sunday.
    public var weekday: Int

    public init(
      year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, millisecond: Int = 0,
      weekday: Int = 0
    ) {
      self.year = year
      self.month = month
      self.day = day
      self.hour = hour
      self.minute = minute
      self.second = second
      self.millisecond = millisecond
      self.weekday = weekday
    }
  }

  public var civil: Civil {
    let days = Int(floorDivide(milliseconds, 86_400_000))
    let rest = Int(milliseconds - Int64(days) * 86_400_000)
    // Days to civil date: the usual 400-year era arithmetic with years that start in March.
    let z = days + 719_468
    let era = (z >= 0 ? z : z - 146_096) / 146_097
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shifted + 2) / 5 + 1
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let weekday = ((days % 7) + 11) % 7
    return Civil(
      year: year, month: month, day: day, hour: rest / 3_600_000, minute: rest / 60_000 % 60,
      second: rest / 1000 % 60, millisecond: rest % 1000, weekday: weekday)
  }

  /// The instant of UTC calendar fields; the weekday is not looked at.
  public init(_ civil: Civil) {
    let year = civil.month <= 2 ? civil.year - 1 : civil.year
    let era = (year >= 0 ? year : year - 399) / 400
    let yearOfEra = year - era * 400
    let monthFromMarch = civil.month > 2 ? civil.month - 3 : civil.month + 9
    let dayOfYear = (153 * monthFromMarch + 2) / 5 + civil.day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    let days = era * 146_097 + dayOfEra - 719_468
    let seconds = days * 86_400 + civil.hour * 3600 + civil.minute * 60 + civil.second
    self.milliseconds = Int64(seconds) * 1000 + Int64(civil.millisecond)
  }
}

private func floorDivide(_ a: Int64, _ b: Int64) -> Int64 { a >= 0 ? a / b : -((-a + b - 1) / b) }

// MARK: - The formats of the wire

private let weekdayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
private let monthNames = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

extension Timestamp {
  /// `2026-11-23T03:36:09Z`, with `.123` when there are milliseconds (Smithy `date-time`).
  public var iso8601: String {
    let c = civil
    var text = DigitWriter(capacity: 24)
    text.put(c.year, 4)
    text.put("-", c.month, 2)
    text.put("-", c.day, 2)
    text.put("T", c.hour, 2)
    text.put(":", c.minute, 2)
    text.put(":", c.second, 2)
    if c.millisecond != 0 { text.put(".", c.millisecond, 3) }
    text.put("Z")
    return text.string
  }

  /// `2026-11-23T03:36:09.000Z`: always with milliseconds, as the query services and S3 write it.
  public var iso8601Milliseconds: String {
    let text = iso8601
    return milliseconds % 1000 == 0 ? text.dropLast() + ".000Z" : text
  }

  /// `Mon, 23 Nov 2026 03:36:09 GMT` (RFC 9110, IMF-fixdate).
  public var httpDate: String {
    let c = civil
    var text = DigitWriter(capacity: 29)
    text.put("\(weekdayNames[c.weekday]), ", c.day, 2)
    text.put(" \(monthNames[c.month - 1]) ", c.year, 4)
    text.put(" ", c.hour, 2)
    text.put(":", c.minute, 2)
    text.put(":", c.second, 2)
    text.put(" GMT")
    return text.string
  }

  /// `20261123T033609Z`, SigV4's `x-amz-date`.
  public var basic: String {
    let c = civil
    var text = DigitWriter(capacity: 16)
    text.put(c.year, 4)
    text.put(c.month, 2)
    text.put(c.day, 2)
    text.put("T", c.hour, 2)
    text.put(c.minute, 2)
    text.put(c.second, 2)
    text.put("Z")
    return text.string
  }

  /// Reads `2026-11-23T03:36:09[.fff…][Z|±hh:mm]`, a date alone, or SigV4's basic format. Nil for anything else.
  public init?(iso8601 text: String) {
    let b = Array(text.utf8)
    func number(_ at: Int, _ count: Int) -> Int? {
      guard at + count <= b.count else { return nil }
      var value = 0
      for i in at..<(at + count) {
        guard b[i] >= 48, b[i] <= 57 else { return nil }
        value = value * 10 + Int(b[i] - 48)
      }
      return value
    }
    if b.count == 16, b[8] == UInt8(ascii: "T"), b[15] == UInt8(ascii: "Z") {
      guard let y = number(0, 4), let mo = number(4, 2), let d = number(6, 2), let h = number(9, 2),
        let mi = number(11, 2), let s = number(13, 2), valid(mo, d, h, mi, s)
      else { return nil }
      self.init(Civil(year: y, month: mo, day: d, hour: h, minute: mi, second: s))
      return
    }
    guard b.count >= 10, b[4] == 45, b[7] == 45, let y = number(0, 4), let mo = number(5, 2), let d = number(8, 2)
    else { return nil }
    if b.count == 10 {
      guard valid(mo, d, 0, 0, 0) else { return nil }
      self.init(Civil(year: y, month: mo, day: d))
      return
    }
    guard b.count >= 19, b[10] == UInt8(ascii: "T") || b[10] == 32, b[13] == 58, b[16] == 58, let h = number(11, 2),
      let mi = number(14, 2), let s = number(17, 2), valid(mo, d, h, mi, s)
    else { return nil }
    var at = 19
    var millisecond = 0
    if at < b.count, b[at] == UInt8(ascii: ".") {
      at += 1
      var scale = 100
      let start = at
      while at < b.count, b[at] >= 48, b[at] <= 57 {
        millisecond += Int(b[at] - 48) * scale
        scale /= 10
        at += 1
      }
      guard at > start else { return nil }
    }
    var offset = 0
    if at < b.count, b[at] == UInt8(ascii: "+") || b[at] == UInt8(ascii: "-") {
      guard at + 6 == b.count, b[at + 3] == 58, let oh = number(at + 1, 2), let om = number(at + 4, 2) else {
        return nil
      }
      offset = (oh * 60 + om) * (b[at] == UInt8(ascii: "-") ? -60_000 : 60_000)
    } else if at < b.count {
      guard at + 1 == b.count, b[at] == UInt8(ascii: "Z") else { return nil }
    }
    self.init(Civil(year: y, month: mo, day: d, hour: h, minute: mi, second: s, millisecond: millisecond))
    milliseconds -= Int64(offset)
  }

  /// Reads an IMF-fixdate. Nil for anything else.
  public init?(httpDate text: String) {
    let parts = text.split(separator: " ")
    guard parts.count == 6, parts[5] == "GMT", let d = Int(parts[1]),
      let m = monthNames.firstIndex(of: String(parts[2])),
      let y = Int(parts[3])
    else { return nil }
    let clock = parts[4].split(separator: ":").compactMap { Int($0) }
    guard clock.count == 3, valid(m + 1, d, clock[0], clock[1], clock[2]) else { return nil }
    self.init(Civil(year: y, month: m + 1, day: d, hour: clock[0], minute: clock[1], second: clock[2]))
  }
}

private func valid(_ month: Int, _ day: Int, _ hour: Int, _ minute: Int, _ second: Int) -> Bool {
  (1...12).contains(month) && (1...31).contains(day) && hour < 24 && minute < 60 && second < 61
}

/// Texts of numbers with leading zeros. Every request has a few of them.
private struct DigitWriter {
  private var bytes: [UInt8] = []

  init(capacity: Int) { bytes.reserveCapacity(capacity) }

  mutating func put(_ text: String) { bytes.append(contentsOf: text.utf8) }

  mutating func put(_ text: String, _ value: Int, _ width: Int) {
    put(text)
    put(value, width)
  }

  mutating func put(_ value: Int, _ width: Int) {
    // Years beyond four digits, or before year 0.
    guard value >= 0, value < 10_000 else { return put(String(value)) }
    var divisor = 1
    for _ in 1..<max(width, value > 999 ? 4 : value > 99 ? 3 : value > 9 ? 2 : 1) { divisor *= 10 }
    while divisor > 0 {
      bytes.append(UInt8(truncatingIfNeeded: 48 + value / divisor % 10))
      divisor /= 10
    }
  }

  var string: String { String(decoding: bytes, as: UTF8.self) }
}
