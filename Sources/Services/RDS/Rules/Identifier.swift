// Identifiers and ARNs. Pure.

import AWSCore

enum Identifier {
  /// An identifier in its stored form (lower case).
  /// - Throws: `InvalidParameterValue`.
  static func check(_ text: String, _ name: String, max: Int = 63) throws -> String {
    let lower = text.lowercased()
    let bytes = Array(lower.utf8)
    func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
    func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    let isGood =
      (1...max).contains(bytes.count) && isLetter(bytes[0]) && bytes.last != UInt8(ascii: "-")
      && bytes.allSatisfy { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") } && !lower.contains("--")
    guard isGood else {
      throw RDSError.invalid(
        "The parameter \(name) is not a valid identifier. Identifiers must begin with a letter; must "
          + "contain only ASCII "
          + "letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens.")
    }
    return lower
  }

  /// The identifier in a text that may be an ARN of that kind (`cluster`, `db`, …).
  static func of(_ text: String, kind: String) -> String {
    guard let arn = ARN(text), arn.service == "rds", arn.resource.hasPrefix(kind + ":") else {
      return text.lowercased()
    }
    return arn.resource.dropFirst(kind.count + 1).lowercased()
  }

  /// - Throws: `InvalidParameterValue` for names that PostgreSQL or RDS keeps for itself.
  static func checkUser(_ name: String) throws {
    let reserved: Set<String> = [
      "admin", "postgres", "public", "rdsadmin", "rds_superuser", "rdsrepladmin", "castle_admin", "user", "root",
    ]
    let lower = name.lowercased()
    let isPlain = name.utf8.allSatisfy { byte in
      (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == UInt8(ascii: "_")
    }
    guard (1...63).contains(name.utf8.count), isPlain, name.first?.isLetter == true, !lower.hasPrefix("pg_") else {
      throw RDSError.invalid(
        "The parameter MasterUsername is not a valid identifier because it contains characters or a "
          + "form that is not allowed."
      )
    }
    // `postgres` itself is allowed on AWS, and is only a name here.
    if reserved.contains(lower) && lower != "postgres" && lower != "root" {
      throw RDSError.invalid("MasterUsername \(name) cannot be used as it is a reserved word used by the engine")
    }
  }

  /// - Throws: `InvalidParameterValue`.
  static func checkDatabase(_ name: String) throws {
    let isPlain = name.utf8.allSatisfy { byte in
      (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == UInt8(ascii: "_")
    }
    guard (1...63).contains(name.utf8.count), isPlain, name.first.map({ $0.isLetter || $0 == "_" }) == true else {
      throw RDSError.invalid("DatabaseName must begin with a letter and contain only alphanumeric characters.")
    }
    if ["postgres", "template0", "template1", "rdsadmin"].contains(name.lowercased()) {
      throw RDSError.invalid("Database name cannot be \(name).")
    }
  }

  /// - Throws: `InvalidParameterValue`.
  static func checkPassword(_ text: String) throws {
    guard RDSLimits.passwordLengths.contains(text.utf8.count) else {
      throw RDSError.invalid(
        "The parameter MasterUserPassword is not a valid password because it is shorter than 8 or "
          + "longer than 99 characters."
      )
    }
    guard
      text.utf8.allSatisfy({
        $0 > 32 && $0 < 127 && ![UInt8(ascii: "/"), UInt8(ascii: "@"), UInt8(ascii: "\"")].contains($0)
      })
    else {
      throw RDSError.invalid(
        "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters "
          + "besides '/', '@', '\"', "
          + "' ' may be used.")
    }
  }
}
