// What is known of addresses: countries, autonomous systems and lists of them. Nothing here knows where an address is or
// whose it is: all of it comes from tables that are given, and without one nothing is known.

/// A table of networks with something known of each, `192.0.2.0/24,DE` in a line.
public protocol NetworkTable: Sendable {
  init()
  /// Adds a network with what stands behind it; false when one of them is none.
  mutating func insert(_ network: String, _ fact: String) -> Bool
}

extension NetworkTable {
  /// Adds a line: a network, a comma, and what is known of it, each in quotes or not; what follows another comma is not
  /// looked at. False when it is none.
  public mutating func insert(line: String) -> Bool {
    let parts = line.split(separator: ",", omittingEmptySubsequences: false).map { part in
      String(decoding: part.utf8.filter { !isSpace($0) && $0 != 0x22 }, as: UTF8.self)
    }
    return parts.count >= 2 && insert(parts[0], parts[1])
  }
}

/// Countries of networks, by their codes of two letters.
public struct CountryTable: NetworkTable {
  private var tree = AddressTree<UInt16>()

  public init() {}

  public var isEmpty: Bool { tree.isEmpty }

  public mutating func insert(_ network: String, _ fact: String) -> Bool {
    let code = Array(fact.utf8)
    guard code.count == 2, code.allSatisfy(isLetter) else { return false }
    return tree.insert(network, UInt16(code[0] & 0xDF) << 8 | UInt16(code[1] & 0xDF))
  }

  /// The two-letter code of an address's country.
  public func country(_ address: SourceAddress) -> String? {
    tree.find(address).map { code in
      String(decoding: [UInt8(code >> 8), UInt8(truncatingIfNeeded: code)], as: UTF8.self)
    }
  }
}

/// Autonomous systems of networks, by their numbers (`64496` or `AS64496`).
public struct SystemTable: NetworkTable {
  private var tree = AddressTree<UInt32>()

  public init() {}

  public mutating func insert(_ network: String, _ fact: String) -> Bool {
    let digits = fact.uppercased().hasPrefix("AS") ? fact.dropFirst(2) : fact[...]
    guard digits.utf8.allSatisfy(isDigit), let number = UInt32(digits) else { return false }
    return tree.insert(network, number)
  }

  /// The number of an address's system; 0, which is nobody's, where none is known.
  public func system(_ address: SourceAddress) -> UInt32 { tree.find(address) ?? 0 }
}

/// Lists of networks by their names; a network may be on several.
public struct AddressLists: NetworkTable {
  /// The lists that managed rules ask for.
  public static let names: Set<String> = [
    "AWSManagedIPReputationList", "AWSManagedReconnaissanceList", attackers, "AnonymousIPList",
    "HostingProviderIPList",
  ]
  /// The list of those who take part in floods.
  public static let attackers = "AWSManagedIPDDoSList"

  private var trees: [String: AddressTree<Bool>] = [:]

  public init() {}

  /// - Parameter fact: a list's name; false for one that nobody asks for.
  public mutating func insert(_ network: String, _ fact: String) -> Bool {
    guard Self.names.contains(fact) else { return false }
    return trees[fact, default: AddressTree()].insert(network, true)
  }

  public func contains(_ address: SourceAddress, _ list: String) -> Bool { trees[list]?.find(address) != nil }
}

/// All of them.
public struct AddressKnowledge: Sendable {
  public var countries = CountryTable()
  public var systems = SystemTable()
  public var lists = AddressLists()

  public init() {}
}
