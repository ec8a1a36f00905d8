// Swift names of the model's names.

enum Names {
  /// Names that Swift or AWSWire keep for themselves inside a namespace.
  private static let taken: Set<String> = [
    "Type", "Protocol", "Error", "Operation", "Empty", "Blob", "String", "Timestamp", "Indirect", "Int", "Double",
    "Bool",
    "Array", "Dictionary", "Set", "Optional", "Result", "Self", "StructureValue", "WireStructure", "Never", "Any",
  ]
  private static let keywords: Set<String> = [
    "as", "associatedtype", "break", "case", "catch", "class", "continue", "default", "defer", "deinit", "do", "else",
    "enum", "extension", "fallthrough", "false", "fileprivate", "for", "func", "guard", "if", "import", "in", "init",
    "inout", "internal", "is", "let", "nil", "operator", "private", "precedencegroup", "protocol", "public", "repeat",
    "rethrows", "return", "self", "static", "struct", "subscript", "super", "switch", "throw", "throws", "true", "try",
    "typealias", "var", "where", "while",
  ]

  static func type(_ name: String) -> String {
    let upper = name.prefix(1).uppercased() + name.dropFirst()
    return taken.contains(upper) ? upper + "Shape" : upper
  }

  /// `KeyId` → `keyId`, `DBClusterIdentifier` → `dbClusterIdentifier`, `ARN` → `arn`.
  static func property(_ name: String) -> String {
    let characters = Array(name)
    var run = 0
    while run < characters.count, characters[run].isUppercase { run += 1 }
    // The last capital of a run starts the next word, unless the run is the whole name or digits follow it.
    if run > 1, run < characters.count, characters[run].isLowercase,
      !(characters[run] == "s" && run + 1 == characters.count)
    {
      run -= 1
    }
    var text = String(characters[..<run]).lowercased() + String(characters[run...])
    text = String(text.map { $0.isLetter || $0.isNumber || $0 == "_" ? $0 : "_" })
    return keywords.contains(text) ? "`\(text)`" : text
  }
}
