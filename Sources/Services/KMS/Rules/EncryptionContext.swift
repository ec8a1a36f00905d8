// The encryption context: pairs that are authenticated with the data and must be the same to decrypt.

/// The canonical bytes of an encryption context: pairs sorted by key, each text behind its length, so that no two
/// contexts have the same bytes.
func canonicalEncryptionContext(_ context: [String: String]?) -> [UInt8] {
  guard let context, !context.isEmpty else { return [] }
  var out: [UInt8] = []
  func append(_ text: String) {
    let count = UInt32(truncatingIfNeeded: text.utf8.count)
    for shift: UInt32 in [24, 16, 8, 0] { out.append(UInt8(truncatingIfNeeded: count >> shift)) }
    out += text.utf8
  }
  for (key, value) in context.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
    append(key)
    append(value)
  }
  return out
}
