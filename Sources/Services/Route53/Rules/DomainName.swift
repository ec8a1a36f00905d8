// Names as Route 53 keeps them: lower case, a dot behind, octal escapes for what is not plain.

/// Domain names.
enum DomainName {
  /// The name in Route 53's form; nil when it is none.
  static func normal(_ text: String) -> String? {
    var result = ""
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): result.unicodeScalars.append(Unicode.Scalar(byte + 32))
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
        UInt8(ascii: "_"), UInt8(ascii: "."):
        result.unicodeScalars.append(Unicode.Scalar(byte))
      case UInt8(ascii: "\\"):
        let digits = rest.prefix(3)
        guard digits.count == 3, digits.allSatisfy({ (48...55).contains($0) }) else { return nil }
        result += "\\" + String(decoding: digits, as: UTF8.self)
        rest = rest.dropFirst(3)
      default:
        let octal = String(byte, radix: 8)
        result += "\\" + String(repeating: "0", count: 3 - octal.count) + octal
      }
    }
    if result.last != "." { result += "." }
    let labels = result.dropLast().split(separator: ".", omittingEmptySubsequences: false)
    guard !labels.isEmpty, result.utf8.count <= 1024, labels.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 63 * 4 })
    else { return nil }
    return result
  }

  /// Names sort by their labels from the right: `com.example.www`.
  static func sortKey(_ name: String) -> String {
    name.split(separator: ".").reversed().joined(separator: ".")
  }

  /// Whether a text can be the host of a URL: letters, digits, `-`, `_`, `.`, and a port behind.
  static func isHost(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 255
      && text.utf8.allSatisfy { (48...58).contains($0) || (97...122).contains($0 | 32) || [45, 46, 95].contains($0) }
  }

  static func isIn(_ name: String, _ zone: String) -> Bool { name == zone || name.hasSuffix("." + zone) }
}

/// Values that Route 53 checks.
enum RecordValue {
  /// What is wrong with a value; nil when it is right, or of a type whose values are not checked here.
  static func problem(_ type: String, _ value: String) -> String? {
    switch type {
    case "A" where !isIPv4(value):
      "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) "
        + "encountered with '\(value)''"
    case "AAAA" where !isIPv6(value):
      "Invalid Resource Record: 'FATAL problem: AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address) "
        + "encountered with '\(value)''"
    case "TXT" where !isQuoted(value), "SPF" where !isQuoted(value):
      "Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in quotation marks) "
        + "encountered with '\(value)''"
    case "CNAME" where DomainName.normal(value) == nil || value.contains(" "):
      "Invalid Resource Record: 'FATAL problem: DomainNameEmpty (Domain name is empty) encountered with '\(value)''"
    case "MX" where value.split(separator: " ").count != 2 || UInt16(value.split(separator: " ")[0]) == nil:
      "Invalid Resource Record: 'FATAL problem: MXRRDATANotTwoFields (MX record doesn't have 2 fields) encountered with "
        + "'\(value)''"
    default: nil
    }
  }

  private static func isQuoted(_ value: String) -> Bool {
    value.count >= 2 && value.first == "\"" && value.last == "\""
  }

  static func isIPv4(_ value: String) -> Bool {
    let parts = value.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil && $0.allSatisfy(\.isNumber) }
  }

  static func isIPv6(_ value: String) -> Bool {
    let halves = value.split(separator: "::", omittingEmptySubsequences: false)
    guard value.contains(":"), halves.count <= 2 else { return false }
    var groups = 0
    for (index, half) in halves.enumerated() where !half.isEmpty {
      let parts = half.split(separator: ":", omittingEmptySubsequences: false)
      for (place, part) in parts.enumerated() {
        if part.contains("."), index == halves.count - 1, place == parts.count - 1, isIPv4(String(part)) {
          groups += 2
        } else {
          guard (1...4).contains(part.count), UInt16(part, radix: 16) != nil else { return false }
          groups += 1
        }
      }
    }
    return halves.count == 2 ? groups < 8 : groups == 8
  }
}
