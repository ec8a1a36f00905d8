// ASCII text without regard to case, as names of header fields are compared.

/// Whether two texts are the same but for the case of ASCII letters (RFC 9110, 5.1).
@inlinable
public func equalsIgnoringASCIICase(_ a: String, _ b: String) -> Bool {
  // Each field of a request is held against many names: most of them are told apart by their length, at the caller's.
  a.utf8.count == b.utf8.count && sameBytesIgnoringASCIICase(a, b)
}

@usableFromInline
func sameBytesIgnoringASCIICase(_ a: String, _ b: String) -> Bool {
  let x = a.utf8
  let y = b.utf8
  // On the bytes where they lie.
  let quick = x.withContiguousStorageIfAvailable { x in
    y.withContiguousStorageIfAvailable { y in
      for at in x.indices where x[at] != y[at] && lowered(x[at]) != lowered(y[at]) { return false }
      return true
    }
  }
  if let quick, let answer = quick { return answer }
  return zip(x, y).allSatisfy { lowered($0) == lowered($1) }
}

@inline(__always)
private func lowered(_ byte: UInt8) -> UInt8 { byte >= 65 && byte <= 90 ? byte | 0x20 : byte }
