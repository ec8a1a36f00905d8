// Reads the files that tell what is known of addresses.
import GateProtocol
import Glibc
import WebACL

/// Keeps what is known of addresses at what the files say; one whose time did not change is not read again.
struct AddressReader {
  private var known = AddressSources()
  /// As the files say it, without who is told besides.
  private var files = AddressKnowledge()
  private(set) var knowledge = AddressKnowledge()

  /// True when something else is known now.
  mutating func update(_ sources: AddressSources) -> Bool {
    if sources == known { return false }
    if sources.countries != known.countries { files.countries = Self.read(sources.countries) }
    if sources.systems != known.systems { files.systems = Self.read(sources.systems) }
    if sources.lists != known.lists { files.lists = Self.read(sources.lists) }
    known = sources
    knowledge = files
    for address in sources.attackers { _ = knowledge.lists.insert(address, AddressLists.attackers) }
    return true
  }

  /// Lines that are none are passed over: the first often says what the columns are.
  private static func read<Table: NetworkTable>(_ source: AddressSources.File?) -> Table {
    var table = Table()
    guard let source else { return table }
    guard let file = fopen(source.path, "re") else {
      GateLog.error(
        "a table of networks cannot be read", [("file", source.path), ("reason", String(cString: strerror(errno)))])
      return table
    }
    defer { fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    var (taken, passed) = (0, 0)
    while getline(&line, &capacity, file) > 0 {
      guard let line else { break }
      if table.insert(line: String(cString: line)) { taken += 1 } else { passed += 1 }
    }
    GateLog.info(
      "a table of networks was read",
      [("file", source.path), ("networks", "\(taken)"), ("linesPassedOver", "\(passed)")])
    return table
  }
}
