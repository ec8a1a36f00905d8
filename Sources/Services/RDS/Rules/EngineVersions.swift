// The versions of Aurora PostgreSQL that can be asked for. Pure.

enum EngineVersions {
  static let engine = "aurora-postgresql"

  /// The minor versions of each major version, oldest first.
  static let minors: [Int: [Int]] = [
    13: [9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 21, 22, 23],
    14: [6, 7, 8, 9, 10, 11, 12, 13, 15, 17, 18, 19, 20],
    15: [2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 14, 15],
    16: [1, 2, 3, 4, 6, 8, 9, 10, 11],
    17: [4, 5, 6, 7],
  ]

  /// The major version that stacks ask for: taken whatever version of PostgreSQL the machine has.
  static let always = 15

  /// All versions that can be asked for on a machine with that major version of PostgreSQL, oldest first.
  static func offered(installed: Int?) -> [String] {
    Set([always, installed ?? always]).sorted().flatMap { major in (minors[major] ?? [0]).map { "\(major).\($0)" } }
  }

  static func major(_ version: String) -> Int? { Int(version.prefix { $0 != "." }) }

  /// The full version that a request means: the newest of a major version, or itself; nil when it is not offered.
  static func resolve(_ asked: String?, installed: Int?) -> String? {
    let offered = offered(installed: installed)
    guard let asked, !asked.isEmpty else { return offered.last { major($0) == always } }
    if offered.contains(asked) { return asked }
    guard !asked.contains(".") else { return nil }
    return offered.last { $0.hasPrefix(asked + ".") }
  }

  static func family(_ version: String) -> String { "\(engine)\(major(version) ?? always)" }
  static func defaultParameterGroup(_ version: String) -> String { "default.\(family(version))" }

  /// The classes that instances can have. On one machine they are names.
  static let classes: [String] = {
    var all = ["db.serverless", "db.t3.medium", "db.t3.large", "db.t4g.medium", "db.t4g.large"]
    let sizes = ["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge"]
    for family in ["r5", "r6i", "r7i", "r6g", "r7g", "r8g"] {
      let last = family.hasSuffix("g") ? (family == "r8g" ? sizes.count : 7) : sizes.count
      all += sizes.prefix(last).map { "db.\(family).\($0)" }
    }
    return all
  }()
}
