// Names that engines are given.

/// Names of engines' groups and members, which become names of files, processes and settings.
public enum EngineName {
  /// Whether it has ASCII letters, digits, `-`, `_` and `.` only, does not begin with `.`, and is not too long.
  public static func isGood(_ text: String, most: Int) -> Bool {
    !text.isEmpty && text.utf8.count <= most && !text.hasPrefix(".")
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
          return true
        default: return false
        }
      }
  }
}
