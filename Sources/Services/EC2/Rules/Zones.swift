// Availability Zones: two letters of AWS's many would do, three are what most regions have.

import AWSCore

enum Zones {
  static let letters = ["a", "b", "c"]

  static func names(_ region: String) -> [String] { letters.map { region + $0 } }

  /// `use1-az1` for `us-east-1a`: the region's short name and a number.
  static func id(_ zone: String) -> String {
    let region = zone.dropLast()
    let parts = region.split(separator: "-")
    let short = parts.enumerated().map { index, part -> String in
      if index == 0 { return String(part) }
      if Int(part) != nil { return String(part) }
      switch part {
      case "northeast": return "ne"
      case "northwest": return "nw"
      case "southeast": return "se"
      case "southwest": return "sw"
      default: return String(part.prefix(1))
      }
    }.joined()
    let number = letters.firstIndex(of: String(zone.suffix(1))).map { $0 + 1 } ?? 0
    return "\(short)-az\(number)"
  }

  /// The zone that a name or an id means in a region.
  static func resolve(_ text: String, region: String) -> String? {
    names(region).first { $0 == text || id($0) == text }
  }

  static let regions = [
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "eu-central-1", "eu-west-1", "eu-west-2",
    "eu-west-3", "eu-north-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1",
    "ap-southeast-2", "sa-east-1",
  ]
}
